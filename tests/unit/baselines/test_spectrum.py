"""Spectra, against NumPy and by the laws of the Fourier transform."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from sklearn.metrics import log_loss

from tests.unit.baselines.networks import pictures
from ufd_ray.baselines import baseline_named
from ufd_ray.baselines.spectrum import spectra

SEEDS = st.integers(0, 2**32 - 1)


def computed_in_float64(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    channels = pixels.transpose(0, 3, 1, 2) / 255
    logs = np.log(np.abs(np.fft.fft2(channels)) + 1e-3)
    low, high = np.percentile(logs, (5, 95), axis=(2, 3), keepdims=True)
    return np.clip(2 * (logs - low) / (high - low) - 1, -1, 1)


@given(SEEDS, st.integers(8, 24), st.integers(8, 24))
@settings(max_examples=20)
def test_as_numpy_has_them(seed: int, height: int, width: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (2, height, width, 3), np.uint8)
    found = spectra(torch.from_numpy(pixels))
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), computed_in_float64(pixels), atol=2e-3)


@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=9).map(lambda s: (2, *s, 3))))
@settings(max_examples=40)
def test_whatever_the_image_they_are_from_minus_1_to_1(pixels: NDArray[np.uint8]) -> None:
    found = spectra(torch.from_numpy(pixels))
    assert ((found >= -1) & (found <= 1)).all()


def test_a_black_image_has_no_frequency() -> None:
    assert (spectra(torch.zeros(1, 224, 224, 3, dtype=torch.uint8)) == -1).all()


@given(SEEDS, st.integers(0, 15), st.integers(0, 15))
@settings(max_examples=20)
def test_moving_around_changes_nothing(seed: int, down: int, right: int) -> None:
    pixels = pictures(2, 16, seed)[0]
    moved = spectra(pixels.roll((down, right), dims=(1, 2)))
    torch.testing.assert_close(moved, spectra(pixels), atol=2e-3, rtol=0)


@given(SEEDS)
@settings(max_examples=20)
def test_a_flip_reverses_frequencies(seed: int) -> None:
    pixels = pictures(2, 16, seed)[0]
    found = spectra(pixels)
    reversed_columns = found.flip(3).roll(1, dims=3)
    torch.testing.assert_close(spectra(pixels.flip(2)), reversed_columns, atol=2e-3, rtol=0)
    both = found.flip((2, 3)).roll((1, 1), dims=(2, 3))
    torch.testing.assert_close(found, both, atol=2e-3, rtol=0)


def test_the_loss_is_the_log_loss_of_the_scores() -> None:
    baseline = baseline_named("spectrum")
    outputs, labels = torch.tensor([[1.0, -1.0], [0.2, 0.7], [3.0, 0.0]]), torch.tensor([0, 1, 1])
    loss = float(baseline.losses(outputs, labels).mean())
    assert loss == pytest.approx(
        log_loss(labels.tolist(), baseline.scores(outputs).tolist()), rel=1e-5
    )
