"""Figures of a probe on held-out images, and what so few of them can tell."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ufd_ray.pipeline.few_images import what_so_few_tell
from ufd_ray.pipeline.fitting.judging import Judged, figures, groups_of


def judged(sources: list[str | None], **change: Any) -> Judged:
    labels = np.arange(len(sources)) % 2
    logits = np.where(labels == 1, 1.5, -0.5) + np.linspace(-1, 1, len(sources))
    given = {
        "labels": labels.astype(np.int8),
        "logits": logits.astype(np.float32),
        "sources": np.array(sources, object),
        "of": "val",
    }
    return Judged(**(given | change))


def by_turns(real: int, fake: int, total: int = 60) -> list[str | None]:
    """So many sources of each class, by turns."""
    return [
        f"fake {row // 2 % fake}" if row % 2 else f"real {row // 2 % real}" for row in range(total)
    ]


def test_sources_are_counted_where_both_classes_have_five() -> None:
    groups = groups_of(judged(by_turns(5, 6)))
    assert groups is not None
    assert len(set(groups.tolist())) == 11


@pytest.mark.parametrize("sources", [by_turns(4, 30), by_turns(30, 4), [None] * 60])
def test_else_images_are(sources: list[str | None]) -> None:
    assert groups_of(judged(sources)) is None
    found = figures(judged(sources))
    assert found is not None
    assert found["intervals"]["counted"] == "images"


def test_an_image_without_a_source_is_one_of_its_own() -> None:
    sources = by_turns(5, 5)
    sources[0] = sources[1] = sources[2] = None
    groups = groups_of(judged(sources))
    assert groups is not None
    assert len({int(groups[row]) for row in (0, 1, 2)}) == 3


def test_intervals_over_few_sources_are_wider_than_over_as_many_images() -> None:
    few, many = figures(judged(by_turns(5, 5))), figures(judged([None] * 60))
    assert few is not None
    assert many is not None
    low, high = few["intervals"]["accuracy"]
    lower, higher = many["intervals"]["accuracy"]
    assert few["accuracy"] == many["accuracy"]
    assert high - low > higher - lower


def test_figures_are_those_of_the_scores_at_half() -> None:
    found = figures(judged([None] * 60))
    assert found is not None
    one = judged([None] * 60)
    right = (one.scores > 0.5) == (one.labels == 1)
    assert found["accuracy"] == right.mean()
    assert found["accuracy_real"] == right[one.labels == 0].mean()
    assert (found["num_real"], found["num_fake"]) == (30, 30)


def test_one_class_alone_says_nothing() -> None:
    assert figures(judged([None] * 6, labels=np.zeros(6, np.int8))) is None


def test_what_forty_images_tell() -> None:
    accuracy, bound = what_so_few_tell(20, 20)
    assert "(20 real, 20 fake)" in accuracy
    assert accuracy.endswith("an accuracy of 90 % found on all of them may in truth be 76 to 97 %")
    assert bound.startswith("a bound of 1 % on flagged real images needs 299 real ones")
    assert "with 20 there will be none" in bound


@pytest.mark.parametrize(
    ("num_real", "num_fake", "lines"), [(298, 9, 2), (299, 9, 1), (500, 501, 0)]
)
def test_what_more_images_tell(num_real: int, num_fake: int, lines: int) -> None:
    assert len(what_so_few_tell(num_real, num_fake)) == lines
