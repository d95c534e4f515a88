from __future__ import annotations

import pyarrow as pa

from ufd_ray.pipeline.banking.plan import draw_splits
from ufd_ray.storage import image_id

IDS = pa.array([image_id(f"s3://b/{number}.jpg") for number in range(4000)])


def test_the_share_is_kept() -> None:
    drawn = draw_splits(IDS, 0.25).to_pylist()
    assert set(drawn) == {"train", "val"}
    assert abs(drawn.count("val") - 1000) < 150


def test_an_image_falls_on_the_same_side_in_any_company() -> None:
    drawn = draw_splits(IDS, 0.25).to_pylist()
    assert draw_splits(IDS.take(pa.array(range(3999, -1, -1))), 0.25).to_pylist() == drawn[::-1]
    assert draw_splits(IDS.slice(17, 1), 0.25).to_pylist() == drawn[17:18]


def test_a_larger_share_only_adds() -> None:
    few, many = (draw_splits(IDS, share).to_pylist() for share in (0.1, 0.4))
    assert all(more == "val" for fewer, more in zip(few, many, strict=True) if fewer == "val")


def test_no_share_at_all() -> None:
    assert set(draw_splits(IDS, 0.0).to_pylist()) == {"train"}
