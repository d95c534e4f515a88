"""Co-occurrence matrices, against a loop and by the laws that they keep; the network's size."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from torch import Tensor

from tests.unit.baselines.networks import num_parameters, pictures
from ufd_ray.baselines import baseline_named
from ufd_ray.baselines.co_occurrence import count_pairs

SHAPES = array_shapes(min_dims=3, max_dims=3, min_side=2, max_side=6).map(
    lambda sides: (sides[0] // 3 + 1, *sides[1:], 3)
)
IMAGES = arrays(np.uint8, SHAPES).map(torch.from_numpy)


@st.composite
def images_and_offsets(draw: st.DrawFn) -> tuple[Tensor, int]:
    images = draw(IMAGES)
    return images, draw(st.integers(1, images.shape[2] - 1))


def counted_by_hand(images: Tensor, offset: int) -> Tensor:
    counts = torch.zeros(len(images), 3, 256, 256, dtype=torch.int64)
    for number, image in enumerate(images):
        for row in image.tolist():
            for left, right in zip(row[:-offset], row[offset:], strict=True):
                for channel in range(3):
                    counts[number, channel, left[channel], right[channel]] += 1
    return counts


@given(images_and_offsets())
@settings(max_examples=20)
def test_pairs_are_counted(drawn: tuple[Tensor, int]) -> None:
    images, offset = drawn
    by_hand = counted_by_hand(images, offset)
    assert torch.equal(count_pairs(images, offset, symmetric=False), by_hand)
    both = by_hand + by_hand.transpose(2, 3)
    assert torch.equal(count_pairs(images, offset, symmetric=True), both)


@given(images_and_offsets())
@settings(max_examples=20)
def test_sums(drawn: tuple[Tensor, int]) -> None:
    """Of a matrix: all pairs. Of its rows: the histogram of the pixels that stand on the left."""
    images, offset = drawn
    counts = count_pairs(images, offset, symmetric=False)
    num_images, height, width, _ = images.shape
    assert (counts.sum((2, 3)) == height * (width - offset)).all()
    left = images[:, :, : width - offset].permute(0, 3, 1, 2).flatten(2).long()
    histograms = torch.zeros(num_images, 3, 256, dtype=torch.int64)
    histograms.scatter_add_(2, left, torch.ones_like(left))
    assert torch.equal(counts.sum(3), histograms)


@given(images_and_offsets())
@settings(max_examples=20)
def test_flips_and_symmetry(drawn: tuple[Tensor, int]) -> None:
    """A flip exchanges left and right; up and down and the order of rows play no part."""
    images, offset = drawn
    counts = count_pairs(images, offset, symmetric=False)
    flipped = count_pairs(images.flip(2), offset, symmetric=False)
    assert torch.equal(flipped, counts.transpose(2, 3))
    assert torch.equal(count_pairs(images.flip(1), offset, symmetric=False), counts)
    both = count_pairs(images, offset, symmetric=True)
    assert torch.equal(both, both.transpose(2, 3))
    assert torch.equal(both, count_pairs(images.flip(2), offset, symmetric=True))


def test_inputs_are_shares_times_256() -> None:
    pixels = pictures(2, size=256)[0]
    for offset, symmetric in (("1", "no"), ("3", "yes")):
        options = {"offset": offset, "symmetric": symmetric}
        inputs = baseline_named("co-occurrence", options=options).inputs(pixels)
        counts = count_pairs(pixels, int(offset), symmetric == "yes")
        pairs = 256 * (256 - int(offset)) * (2 if symmetric == "yes" else 1)
        assert inputs.dtype == torch.float32
        torch.testing.assert_close(
            inputs.double(), counts.double() / pairs * 256, rtol=1e-6, atol=0
        )
        torch.testing.assert_close(inputs.sum((2, 3)), torch.full((2, 3), 256.0))


def test_the_networks_size() -> None:
    """Three pairs of convolutions, two dense layers of 256 on 32 × 32 × 128, one logit."""
    with torch.device("meta"):
        network = baseline_named("co-occurrence").build()
    weights = 3 * 32 * 9 + 32 * 32 * 25 + 32 * 64 * 9 + 64 * 64 * 25 + 64 * 128 * 9 + 128 * 128 * 25
    dense = 32 * 32 * 128 * 256 + 256 * 256 + 256
    offsets = 2 * (32 + 64 + 128) + 256 + 256 + 1
    assert num_parameters(network) == weights + dense + offsets == 34_251_809
