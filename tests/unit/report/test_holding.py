from __future__ import annotations

from ufd_ray.report.holding import WENT_INTO, what_held_back


def test_the_largest_part_is_named() -> None:
    seconds = {"start_up": 10.0, "decode": 30.0, "encode": 20.0}
    said = what_held_back({"seconds": seconds})
    assert said == (
        "The largest part, 30.0 of 60.0 seconds (50 %), went by in waiting for decoding: more CPU"
        " cores would help."
    )


def test_every_part_has_words() -> None:
    assert all(what_held_back({"seconds": {name: 1.0}}) for name in WENT_INTO)


def test_nothing_is_said_where_nothing_is_known() -> None:
    assert what_held_back(None) is None
    assert what_held_back({"seconds": {"start_up": 0.0}}) is None
