"""Batches that are filled up and begun ahead: the same rows, in their order."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch

from tests.unit.encoders.inputs import random_pixels, relative_difference
from ufd_ray.encoders import Encoder, EncoderSpec
from ufd_ray.encoders.batches import STEPS, Pending, Pixels, filled_up, in_batches

SMALL = EncoderSpec("timm/mobilenetv3_small_050", "random:1")


@pytest.mark.parametrize("at_once", [1, 3, 8, 64, 100])
def test_sizes_are_few_and_little_is_in_vain(at_once: int) -> None:
    sizes = {n: filled_up(n, at_once) for n in range(1, at_once + 1)}
    assert len(set(sizes.values())) <= STEPS
    assert sizes[at_once] == at_once
    for n, size in sizes.items():
        assert n <= size <= at_once
        assert size - n < max(1, -(-at_once // STEPS))


class Shades:
    """Gives the first number of each picture, and notes what is asked of it when."""

    def __init__(self) -> None:
        self.happened: list[tuple[str, int]] = []

    def submit(self, pixels: Pixels, size: int) -> Pending:
        shades = pixels[:, 0, 0, :1].astype(np.float32)
        number = len([1 for what, _ in self.happened if what == "begun"])
        self.happened.append(("begun", number))

        def wait() -> npt.NDArray[np.float32]:
            self.happened.append(("waited for", number))
            return shades

        return wait


@pytest.mark.parametrize("num_images", [0, 1, 4, 5, 11])
def test_order_is_kept(num_images: int) -> None:
    pixels = np.arange(num_images, dtype=np.uint8)[:, None, None, None].repeat(3, axis=3)
    embeddings = in_batches(pixels, 4, 1, Shades().submit)
    assert embeddings.dtype == np.float32
    assert embeddings.shape == (num_images, 1)
    assert embeddings[:, 0].tolist() == list(range(num_images))


def test_the_next_batch_is_begun_before_the_last_is_waited_for() -> None:
    shades = Shades()
    in_batches(np.zeros((9, 1, 1, 3), np.uint8), 4, 1, shades.submit)
    assert shades.happened == [
        ("begun", 0),
        ("begun", 1),
        ("waited for", 0),
        ("begun", 2),
        ("waited for", 1),
        ("waited for", 2),
    ]


def test_a_batch_that_is_filled_up_has_the_same_rows() -> None:
    encoder = Encoder.load(SMALL)
    sizes: list[int] = []

    def submit(pixels: Pixels, size: int) -> Pending:
        sizes.append(size)
        filled = np.zeros((size, *pixels.shape[1:]), np.uint8)
        filled[: len(pixels)] = pixels
        found = encoder(torch.from_numpy(filled)).numpy()[: len(pixels)]
        return lambda: found

    pixels = random_pixels(11)
    found = in_batches(pixels, 8, encoder.dim, submit)
    assert sizes == [8, 3]
    assert relative_difference(found, encoder.encode(pixels)) < 1e-5
    sizes.clear()
    # The last three again, beside different ones: to the bit, in batches of one size.
    beside = [np.concatenate([pixels[8:], others]) for others in (pixels[:5], pixels[3:8])]
    one, other = (in_batches(some, 8, encoder.dim, submit) for some in beside)
    np.testing.assert_array_equal(one[:3], other[:3])
    assert sizes == [8, 8]
