"""The device of a search in this process, and what is said of one that cannot be used."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from ufd_ray.errors import ClusterError, SettingsError
from ufd_ray.pipeline import search_device
from ufd_ray.pipeline.search_device import (
    gpu_errors,
    require_search_device,
    search_device_here,
)
from ufd_ray.settings import CalibrateSettings


@pytest.fixture
def num_gpus(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: request.param)
    monkeypatch.setattr(search_device, "require_device", lambda _: None)


@pytest.mark.parametrize(
    ("num_gpus", "requested", "device"),
    [(0, "auto", "cpu"), (0, "cpu", "cpu"), (1, "auto", "cuda"), (1, "cpu", "cpu")],
    indirect=["num_gpus"],
)
def test_what_is_taken_here(num_gpus: None, requested: str, device: str) -> None:
    assert search_device_here(requested) == device  # type: ignore[arg-type]


@pytest.mark.parametrize("num_gpus", [0], indirect=True)
def test_a_gpu_that_is_not_here(num_gpus: None) -> None:
    with pytest.raises(SettingsError, match="PyTorch sees no GPU here; give --search-device"):
        search_device_here("cuda")


def test_a_gpu_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> None:
        raise ClusterError("the GPU driver is too old")

    monkeypatch.setattr(search_device, "require_device", refuse)
    with pytest.raises(ClusterError, match=r"^the GPU driver is too old .*--search-device cpu\)$"):
        require_search_device("cuda")


def test_a_gpu_with_too_little_memory_is_one_line_that_names_the_flag() -> None:
    said = (
        "CUDA out of memory. Tried to allocate 2.06 GiB. GPU 0 has a total capacity of 14.6 GiB"
        " of which 1.2 GiB is free.\nSee documentation for Memory Management"
    )
    with pytest.raises(ClusterError) as caught, gpu_errors():
        raise torch.OutOfMemoryError(said)
    text = str(caught.value)
    assert "smaller --search-memory-mb" in text
    assert text.endswith("(CUDA out of memory. Tried to allocate 2.06 GiB)")
    with pytest.raises(ValueError, match=r"^k$"), gpu_errors():
        raise ValueError("k")


def test_a_probe_is_calibrated_without_a_search() -> None:
    places = {"probe": "/p", "on": "/b", "output": "/q"}
    with pytest.raises(ValidationError, match="--search-device is for --bank"):
        CalibrateSettings.model_validate(places | {"search_device": "cuda"})
    assert CalibrateSettings.model_validate({"bank": "/b", "search_device": "cuda"})
