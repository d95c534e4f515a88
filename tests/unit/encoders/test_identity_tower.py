"""The encoder that costs nothing."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.encoders.inputs import random_pixels
from ufd_ray.encoders import Encoder, EncoderSpec
from ufd_ray.errors import SettingsError


def test_its_embeddings_are_averages_of_pixels() -> None:
    encoder = Encoder.load(EncoderSpec.parse("identity:random:0"))
    pixels = random_pixels(3)
    assert pixels.shape[1:] == (224, 224, 3)
    means = pixels.reshape(3, 16, 14, 16, 14, 3).mean(axis=(2, 4)) / 127.5 - 1
    found = encoder.encode(pixels).reshape(3, 3, 16, 16).transpose(0, 2, 3, 1)
    np.testing.assert_allclose(found, means, atol=1e-5)


def test_it_says_that_it_means_nothing() -> None:
    assert Encoder.load(EncoderSpec.parse("identity:random:0")).identity.is_random


@pytest.mark.parametrize("text", ["identity:openai", "identity:random:x"])
def test_it_has_no_weights(text: str) -> None:
    with pytest.raises(SettingsError, match=r"identity has no weights|no seed"):
        EncoderSpec.parse(text)
