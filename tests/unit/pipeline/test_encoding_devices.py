"""Where the encoding stage computes, and with what: threads on CPUs, batches on a GPU."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from ufd_ray.errors import ClusterError
from ufd_ray.pipeline import encoding
from ufd_ray.pipeline.encoding import EncodeImages, rows_at_a_time
from ufd_ray.storage import StorageOptions

ENCODER = SimpleNamespace(dim=2, input_size=1, weights_file=None)
ROWS = pa.table(
    {
        "content_hash": ["a", "b", "c"],
        "pixels": pa.array([bytes([1] * 3), None, bytes([2] * 3)], pa.large_binary()),
    }
)


def ones(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    return np.stack([pixels[:, 0, 0, 0], np.ones(len(pixels))], axis=1).astype(np.float32)


def stage_on(
    device: str, encoder: Any, at_once: int | None = None, pool: Any = None
) -> EncodeImages:
    plan = SimpleNamespace(device=device, dtype="float32", load=lambda *_: encoder)
    return EncodeImages(cast(Any, plan), cast(Any, None), StorageOptions(), pool, at_once=at_once)


@pytest.mark.parametrize(("sharing", "cores"), [(None, 3), (1, 3), (2, 1), (5, 1)])
def test_workers_of_a_node_share_its_cores(
    monkeypatch: pytest.MonkeyPatch, sharing: int | None, cores: int
) -> None:
    given: list[tuple[int, int | None]] = []

    def batches(_: Any, num_cores: int, at_once: int | None) -> Any:
        given.append((num_cores, at_once))
        return SimpleNamespace(encode=ones)

    monkeypatch.setattr(encoding, "this_node", lambda: (3, 0))
    monkeypatch.setattr(encoding, "CpuBatches", batches)
    pool = None if sharing is None else SimpleNamespace(on_a_node=lambda cpus, gpus: sharing)
    done = stage_on("cpu", ENCODER, 5, pool)(ROWS)
    assert given == [(cores, 5)]
    assert done["embedding"].to_pylist() == [[1, 1], None, [2, 1]]


class Batches:
    """In place of those on a GPU."""

    made: list[tuple[Any, int | None]]

    def __init__(self, encoder: Any, at_once: int | None) -> None:
        Batches.made.append((encoder, at_once))
        self.encode = ones


@pytest.mark.parametrize("at_once", [None, 7])
def test_on_a_gpu_all_pictures_go_there_together(
    monkeypatch: pytest.MonkeyPatch, at_once: int | None
) -> None:
    monkeypatch.setattr(Batches, "made", [], raising=False)
    monkeypatch.setattr(encoding, "require_device", lambda _: None)
    monkeypatch.setattr(encoding, "GpuBatches", Batches)
    done = stage_on("cuda", ENCODER, at_once)(ROWS)
    assert Batches.made == [(ENCODER, at_once)]
    assert done["embedding"].to_pylist() == [[1, 1], None, [2, 1]]


def test_a_gpu_without_memory_is_told_at_the_first_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise ClusterError("the GPU has not the memory")

    monkeypatch.setattr(encoding, "require_device", lambda _: None)
    monkeypatch.setattr(encoding, "GpuBatches", refuse)
    stage = stage_on("cuda", ENCODER)
    with pytest.raises(ClusterError, match="has not the memory"):
        stage(ROWS)


@pytest.mark.parametrize(
    ("device", "at_once", "rows"),
    [("cpu", None, 64), ("cpu", 7, 7), ("cuda", None, 512), ("cuda", 64, 512), ("cuda", 800, 800)],
)
def test_rows_at_a_time(device: Any, at_once: int | None, rows: int) -> None:
    assert rows_at_a_time(device, at_once) == rows
