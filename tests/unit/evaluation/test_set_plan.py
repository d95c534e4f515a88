"""Which test sets can be judged, and by whose real images."""

from __future__ import annotations

from collections import Counter

import numpy as np

from ufd_ray.evaluation import SetPlan, plan_sets
from ufd_ray.evaluation.paper.sets import GROUPS, PAPER_SETS, REALS_OF

REAL, FAKE = 0, 1


def plan(*images: tuple[str, int]) -> SetPlan:
    return plan_sets(Counter(images))


def both(*names: str) -> list[tuple[str, int]]:
    return [(name, label) for name in names for label in (REAL, FAKE)]


def test_the_papers_sets_are_those_of_the_tables() -> None:
    assert len(PAPER_SETS) == 19
    assert (len(GROUPS["gan"]), len(GROUPS["unseen"])) == (6, 8)
    assert GROUPS["gan"][-1] == "stargan"
    assert (GROUPS["unseen"][0], GROUPS["unseen"][-1]) == ("guided", "dalle")
    assert set(REALS_OF) == set(GROUPS["unseen"])
    assert [name for name, lender in REALS_OF.items() if lender == "imagenet"] == ["guided"]


def test_the_paper_comes_first_in_its_order() -> None:
    found = plan(*both("zebra", "dalle", "apple", "san", "progan"))
    assert list(found.reals_of) == ["progan", "san", "dalle", "apple", "zebra"]
    assert not found.left_out


def test_real_images_are_shared_as_in_the_paper() -> None:
    images = [("guided", FAKE), ("imagenet", REAL), ("dalle", FAKE), ("laion", REAL)]
    found = plan(*images, ("ldm_100", FAKE))
    assert found.reals_of == {"guided": "imagenet", "ldm_100": "laion", "dalle": "laion"}
    assert not found.left_out


def test_a_set_with_real_images_of_its_own_takes_them() -> None:
    found = plan(*both("dalle"), ("laion", REAL))
    assert found.reals_of == {"dalle": "dalle"}
    assert found.left_out == {"laion": "1 real images and no fake one"}


def test_what_lacks_a_class_is_left_out_with_the_reason() -> None:
    images = [("a", REAL), ("b", FAKE), ("b", FAKE), ("guided", FAKE), ("laion", REAL)]
    found = plan(*images)
    assert not found.reals_of
    assert found.left_out == {
        "guided": "1 fake images and no real one, and none in imagenet",
        "a": "1 real images and no fake one",
        "b": "2 fake images and no real one",
        "laion": "1 real images and no fake one",
    }


def test_images_of_a_set() -> None:
    images = [("laion", REAL), ("dalle", FAKE), ("a", REAL), ("a", FAKE), ("b", REAL), ("laion", 1)]
    names = np.array([name for name, _ in images], object)
    labels = np.array([label for _, label in images], np.int8)
    found = plan(*images)
    assert found.reals_of == {"dalle": "laion", "a": "a", "laion": "laion"}
    assert found.rows("dalle", names, labels).tolist() == [0, 1]
    assert found.rows("a", names, labels).tolist() == [2, 3]
    assert found.rows("laion", names, labels).tolist() == [0, 5]
    assert found.used(names, labels).tolist() == [True, True, True, True, False, True]
