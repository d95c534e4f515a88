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
from torch import nn

from tests.unit.encoders.inputs import random_pixels, relative_difference
from ufd_ray.encoders import CpuBatches, Encoder, EncoderSpec


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def batches_of(
    encode: Any, num_cores: int, at_once: int | None = None, kind: type[nn.Module] = nn.LayerNorm
) -> CpuBatches:
    layers = nn.Sequential(nn.Conv2d(1, 1, 1), kind(1) if kind is nn.LayerNorm else kind(1, 1, 1))
    encoder = SimpleNamespace(encode=encode, precision="fp32", modules=layers.modules)
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


def test_convolutions_take_all_pictures_together() -> None:
    seen: list[tuple[int, int]] = []

    def encode(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        seen.append((len(pixels), torch.get_num_threads()))
        return np.zeros((len(pixels), 2), np.float32)

    batches_of(encode, 3, kind=nn.Conv2d).encode(numbered(70))
    batches_of(encode, 3, 9, nn.Conv2d).encode(numbered(10))
    assert seen == [(64, 3), (6, 3), (9, 3), (1, 3)]


def test_what_one_thread_fails_at_is_raised() -> None:
    def encode(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        if (pixels == 9).any():
            raise ValueError("picture 9")
        return np.zeros((len(pixels), 2), np.float32)

    with pytest.raises(ValueError, match="picture 9"):
        batches_of(encode, 2).encode(numbered(20))


@pytest.mark.parametrize("arch", ["timm/mobilenetv3_small_050", "timm/vit_tiny_patch16_224"])
def test_embeddings_are_those_of_the_encoder(arch: str) -> None:
    encoder = Encoder.load(EncoderSpec(arch, "random:1"))
    pixels = random_pixels(11)
    batches = CpuBatches(encoder, 2)
    assert relative_difference(batches.encode(pixels), encoder.encode(pixels)) < 1e-6
    assert batches.encode(pixels[:0]).shape == (0, encoder.dim)
    with pytest.raises(ValueError, match="expected uint8"):
        batches.encode(pixels[:, :100])
