"""An encoder on a CPU, in threads: the same embeddings, in order, by no more cores than it may."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ufd_ray.encoders import CpuBatches, Encoder, EncoderSpec


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def batches_of(encode: Any, num_cores: int, at_once: int | None = None) -> CpuBatches:
    encoder = SimpleNamespace(encode=encode, precision="fp32")
    return CpuBatches(cast(Encoder, encoder), num_cores, at_once)


def numbered(num_images: int) -> npt.NDArray[np.uint8]:
    return np.arange(num_images, dtype=np.uint8).reshape(num_images, 1, 1, 1)


@given(
    num_images=st.integers(1, 200),
    num_cores=st.integers(1, 9),
    at_once=st.none() | st.integers(1, 70),
)
def test_each_picture_once_and_in_order(
    num_images: int, num_cores: int, at_once: int | None
) -> None:
    sizes = []

    def encode(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        sizes.append(len(pixels))
        return pixels[:, 0, 0].astype(np.float32)

    pixels = numbered(num_images)
    found = batches_of(encode, num_cores, at_once).encode(pixels)
    assert (found[:, 0] == pixels[:, 0, 0, 0]).all()
    assert sum(sizes) == num_images
    assert max(sizes) <= min(8, at_once or 8)


@pytest.mark.parametrize(
    ("num_cores", "threads", "of_each"), [(1, 1, 1), (2, 2, 1), (4, 4, 1), (7, 4, 1), (16, 4, 4)]
)
def test_threads_share_the_cores(num_cores: int, threads: int, of_each: int) -> None:
    seen: dict[str, int] = {}
    all_there = threading.Barrier(threads, timeout=60)

    def encode(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        all_there.wait()
        seen[threading.current_thread().name] = torch.get_num_threads()
        return np.zeros((len(pixels), 2), np.float32)

    batches_of(encode, num_cores).encode(numbered(threads))
    assert list(seen.values()) == [of_each] * threads


def test_what_one_thread_fails_at_is_raised() -> None:
    def encode(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        if (pixels == 9).any():
            raise ValueError("picture 9")
        return np.zeros((len(pixels), 2), np.float32)

    with pytest.raises(ValueError, match="picture 9"):
        batches_of(encode, 2).encode(numbered(20))


def test_embeddings_are_those_of_the_encoder() -> None:
    encoder = Encoder.load(EncoderSpec("timm/mobilenetv3_small_050", "random:1"))
    pixels = np.random.default_rng(0).integers(0, 256, (11, 224, 224, 3), np.uint8)
    expected = encoder.encode(pixels)
    found = CpuBatches(encoder, 2).encode(pixels)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
    assert CpuBatches(encoder, 2).encode(pixels[:0]).shape == (0, encoder.dim)
    with pytest.raises(ValueError, match="expected uint8"):
        CpuBatches(encoder, 2).encode(pixels[:, :100])
