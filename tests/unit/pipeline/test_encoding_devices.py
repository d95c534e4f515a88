"""Where the encoding stage computes, and with what: threads on CPUs, batches on a GPU."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
import torch

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


def stage_on(device: str, encoder: Any, at_once: int | None = None) -> EncodeImages:
    plan = SimpleNamespace(device=device, dtype="float32", load=lambda *_: encoder)
    return EncodeImages(cast(Any, plan), cast(Any, None), StorageOptions(), at_once=at_once)


def test_threads_are_set_where_batches_are_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, int] = {}

    def encode(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        seen[threading.current_thread().name] = torch.get_num_threads()
        return ones(pixels)

    monkeypatch.setattr(encoding, "this_node", lambda: (3, 0))
    before = torch.get_num_threads()
    made: list[EncodeImages] = []
    encoder = SimpleNamespace(**vars(ENCODER), encode=encode)
    for name, work in (
        ("makes", lambda: made.append(stage_on("cpu", encoder))),
        ("computes", lambda: made[0](ROWS)),
    ):
        thread = threading.Thread(target=work, name=name)
        thread.start()
        thread.join()
    torch.set_num_threads(before)
    assert seen == {"computes": 3}


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
