"""What holds for every encoder, shown on small ones."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np
import pytest
import torch
from torch import nn

from tests.unit.encoders.inputs import Pixels, random_pixels, relative_difference
from ufd_ray.encoders import Encoder, EncoderSpec, GpuBatches
from ufd_ray.encoders.batch_size import SIZES
from ufd_ray.encoders.precision import BOUNDS
from ufd_ray.errors import SettingsError

SMALL = EncoderSpec("timm/mobilenetv3_small_050", "random:1")
PIXELS = random_pixels(3)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder.load(SMALL)


@pytest.fixture(scope="module")
def lite0() -> Encoder:
    return Encoder.load(EncoderSpec.parse("lite0"))


def test_frozen_stays_frozen(encoder: Encoder) -> None:
    before = encoder.encode(PIXELS)
    nn.Sequential(encoder, nn.Linear(encoder.dim, 1)).train()
    assert encoder.train() is encoder
    assert not any(module.training for module in encoder.modules())
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    encoder.encode(random_pixels(2, seed=9))
    np.testing.assert_array_equal(encoder.encode(PIXELS), before)
    assert not encoder(torch.from_numpy(PIXELS)).requires_grad


def test_the_same_seed_is_the_same_encoder(encoder: Encoder) -> None:
    twin = Encoder.load(SMALL)
    assert twin.identity == encoder.identity
    other = Encoder.load(EncoderSpec(SMALL.arch, "random:2"))
    assert other.identity.weights_digest != encoder.identity.weights_digest
    assert other.identity.encoder_id != encoder.identity.encoder_id


def test_random_weights_leave_the_callers_random_numbers_alone(encoder: Encoder) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    assert Encoder.load(SMALL).identity == encoder.identity
    assert torch.equal(torch.get_rng_state(), before)


def test_random_weights_are_flagged(encoder: Encoder, lite0: Encoder) -> None:
    assert encoder.identity.is_random
    assert not lite0.identity.is_random


def test_preprocessing_is_part_of_the_identity(encoder: Encoder) -> None:
    resized = Encoder.load(SMALL, preprocess="resize")
    assert resized.identity.weights_digest == encoder.identity.weights_digest
    assert resized.identity.encoder_id != encoder.identity.encoder_id


def test_precision_is_no_part_of_the_identity(lite0: Encoder) -> None:
    half = Encoder.load(EncoderSpec.parse("lite0"), precision="bf16")
    assert half.identity == lite0.identity
    assert half.precision == "bf16"
    assert {p.dtype for p in half.parameters()} == {torch.bfloat16}
    embeddings, exact = half.encode(PIXELS), lite0.encode(PIXELS)
    assert embeddings.dtype == np.float32
    assert 1e-5 < relative_difference(embeddings, exact) < 0.1


def test_the_rest_of_the_batch_matters_little(lite0: Encoder) -> None:
    pixels = random_pixels(3, seed=3)
    together = lite0.encode(pixels)
    alone = np.concatenate([lite0.encode(pixels[i : i + 1]) for i in range(3)])
    assert relative_difference(together, alone) < 1e-5
    assert relative_difference(lite0.encode(pixels[::-1])[::-1], together) < 1e-5


def test_no_images_give_no_embeddings(encoder: Encoder) -> None:
    embeddings = encoder.encode(random_pixels(0))
    assert embeddings.shape == (0, encoder.dim)
    assert embeddings.dtype == np.float32


def test_read_only_pixels_are_fine(encoder: Encoder) -> None:
    pixels = PIXELS.copy()
    pixels.flags.writeable = False  # as Ray's are; torch would warn, and warnings are errors here
    np.testing.assert_array_equal(encoder.encode(pixels), encoder.encode(PIXELS))


@pytest.mark.parametrize(
    "pixels",
    [
        PIXELS[0],
        PIXELS[:, :223],
        PIXELS[..., :2],
        PIXELS.transpose(0, 3, 1, 2),
        PIXELS.astype(np.float32),
        PIXELS.astype(np.int8),
    ],
)
def test_other_shapes_and_types_are_refused(encoder: Encoder, pixels: Pixels) -> None:
    with pytest.raises(ValueError, match=r"expected uint8 \(n, 224, 224, 3\)"):
        encoder.encode(pixels)


def test_fp16_is_refused_on_a_cpu() -> None:
    with pytest.raises(SettingsError, match="fp16 is for GPUs"):
        Encoder.load(SMALL, precision="fp16")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_cuda_is_refused_without_a_gpu() -> None:
    with pytest.raises(SettingsError, match="torch sees no GPU"):
        Encoder.load(SMALL, device="cuda")


@pytest.mark.gpu
@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-4), ("fp16", 1e-2)])
def test_a_gpu_gives_the_same_embeddings(lite0: Encoder, precision: str, tolerance: float) -> None:
    on_gpu = Encoder.load(EncoderSpec.parse("lite0"), device="cuda", precision=precision)  # type: ignore[arg-type]
    assert on_gpu.identity == lite0.identity
    assert relative_difference(on_gpu.encode(PIXELS), lite0.encode(PIXELS)) < tolerance


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_batches_on_a_gpu(precision: Literal["fp16", "bf16"]) -> None:
    spec = EncoderSpec.parse("ViT-B-32-quickgelu:random:0")
    pixels = random_pixels(45)
    exact = Encoder.load(spec).encode(pixels)
    half = Encoder.load(spec, device="cuda", precision=precision)
    batches = GpuBatches(half, 16)
    found = batches.encode(pixels)
    assert relative_difference(found, exact) < BOUNDS["transformer"][precision]
    # The bound tells whether an image is in another's place.
    assert relative_difference(found[1:], exact[:-1]) > 2 * BOUNDS["transformer"][precision]
    with ThreadPoolExecutor(4) as threads:
        for again in threads.map(lambda _: batches.encode(pixels), range(8)):
            np.testing.assert_array_equal(again, found)


@pytest.mark.gpu
def test_a_size_is_found_on_a_gpu() -> None:
    half = Encoder.load(EncoderSpec.parse("lite0"), device="cuda", precision="fp16")
    batches = GpuBatches(half)
    assert batches.at_once in SIZES
    assert batches.encode(random_pixels(0)).shape == (0, half.dim)
