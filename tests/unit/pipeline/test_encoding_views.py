"""The encoding stage with an encoder that adds up: which picture's numbers end up where."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from torch import nn

from ufd_ray.pipeline import encoding
from ufd_ray.pipeline.encoding import EncodeImages
from ufd_ray.storage import StorageOptions

SIZE, POISON, BLACK = 2, 99, 0


class Counting:
    """Gives (shade, 1) for a picture of one shade."""

    dim, input_size, precision = 2, SIZE, "fp32"

    def __init__(self) -> None:
        self.batches: list[int] = []

    def modules(self) -> list[nn.Module]:
        return []

    def encode(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        self.batches.append(len(pixels))
        shades = pixels[:, 0, 0, 0].astype(np.float32)
        shades[shades == POISON] = np.nan
        return np.stack([shades, shades > BLACK], axis=1).astype(np.float32)


def square(*shades: int) -> bytes:
    return b"".join(bytes([shade]) * (3 * SIZE**2) for shade in shades)


def table(pixels: list[int | None], views: list[list[int] | None] | None) -> Any:
    columns: dict[str, Any] = {
        "content_hash": [str(row) for row in range(len(pixels))],
        "pixels": pa.array([p if p is None else square(p) for p in pixels], pa.large_binary()),
    }
    if views is not None:
        files = [v if v is None else square(*v) for v in views]
        columns["view_pixels"] = pa.array(files, pa.large_binary())
    return pa.table(columns)


@pytest.fixture
def encoder() -> Counting:
    return Counting()


def encode(
    encoder: Counting, monkeypatch: pytest.MonkeyPatch, rows: Any, dtype: str = "float32"
) -> Any:
    monkeypatch.setattr(encoding, "this_node", lambda: (1, 0))
    plan = SimpleNamespace(device="cpu", dtype=dtype, load=lambda *_: encoder)
    stage = EncodeImages(cast(Any, plan), cast(Any, None), StorageOptions(), at_once=4)
    return stage(rows)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_every_view_goes_with_its_image(
    encoder: Counting, monkeypatch: pytest.MonkeyPatch, dtype: str
) -> None:
    rows = table([1, None, 2, 3], [[11, 12, 13], None, [21], [31, 32]])
    done = encode(encoder, monkeypatch, rows, dtype)
    assert done["embedding"].to_pylist() == [[1, 1], None, [2, 1], [3, 1]]
    assert done["view_embeddings"].to_pylist() == [
        [[11, 1], [12, 1], [13, 1]],
        [],
        [[21, 1]],
        [[31, 1], [32, 1]],
    ]
    value = {"float32": pa.float32(), "float16": pa.float16()}[dtype]
    assert done.schema.field("view_embeddings").type == pa.list_(pa.list_(value, 2))
    assert set(done.column_names) & {"pixels", "view_pixels"} == set()
    assert encoder.batches == [4, 4, 1]


@pytest.mark.parametrize("bad", [POISON, BLACK])
def test_a_view_without_a_direction_is_its_images_error(
    encoder: Counting, monkeypatch: pytest.MonkeyPatch, bad: int
) -> None:
    rows = table([1, 2, bad], [[11, 12], [21, bad], [31, 32]])
    done = encode(encoder, monkeypatch, rows)
    assert done["error_code"].to_pylist() == [None, "not_finite", "not_finite"]
    assert done["embedding"].to_pylist() == [[1, 1], None, None]


def test_batches_of_nothing_keep_their_columns(
    encoder: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = encode(encoder, monkeypatch, table([None, None], [None, None]))
    assert done["embedding"].to_pylist() == [None, None]
    assert done["view_embeddings"].to_pylist() == [[], []]
    assert encoder.batches == []


def test_without_views_nothing_is_said_of_them(
    encoder: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = encode(encoder, monkeypatch, table([1, None, 3], None))
    assert done["embedding"].to_pylist() == [[1, 1], None, [3, 1]]
    assert "view_embeddings" not in done.column_names
    assert encoder.batches == [2]
