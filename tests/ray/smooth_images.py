"""Small images, and the small encoder by which evaluations of them are quick."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from tests.unit.images.samples import noise
from ufd_ray.encoders import Encoder, EncoderSpec
from ufd_ray.images import Form, to_pixels
from ufd_ray.images.forms import make_forms

Vectors = npt.NDArray[np.float32]


def load(seed: int) -> Encoder:
    """The encoder with random weights of this seed."""
    return Encoder.load(EncoderSpec.parse(f"timm/test_resnet:random:{seed}"))


def smooth(seed: int) -> Image.Image:
    """Patches of colour that run into each other: of noise, all embeddings are much the same."""
    return Image.fromarray(noise(4, 4, seed=seed)).resize((170, 180), Image.Resampling.BICUBIC)


def embed(encoder: Encoder, images: Sequence[Image.Image], form: Form | None = None) -> Vectors:
    """Embeddings of images, or of a form of each, without Ray: (n, dim)."""
    size = encoder.identity.input_size
    if form is None:
        pixels = [to_pixels(one, mode="crop", size=size) for one in images]
    else:
        pixels = [make_forms(one, [form], mode="crop", size=size)[0] for one in images]
    return encoder.encode(np.stack(pixels))
