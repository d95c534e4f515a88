"""The trained deep network and the encoder that is fine-tuned: pixels, last layer, loss."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

from tests.unit.baselines.networks import pictures, seeded, small
from ufd_ray.baselines import baseline_named

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))


HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@pytest.mark.parametrize(
    ("name", "arch", "statistics"),
    [
        ("resnet50-blur-jpeg-0.1", None, IMAGENET),
        ("clip-vit-l14-tuned", None, CLIP),
        ("clip-vit-l14-tuned", "timm/tf_efficientnet_lite0", HALF),
    ],
)
def test_pixels_are_normalised(
    name: str, arch: str | None, statistics: tuple[tuple[float, ...], ...]
) -> None:
    pixels = pictures(2)[0]
    inputs = baseline_named(name, arch).inputs(pixels)
    expected = (pixels.numpy() / 255 - np.array(statistics[0])) / np.array(statistics[1])
    assert inputs.dtype == torch.float32
    np.testing.assert_allclose(inputs.numpy(), expected.transpose(0, 3, 1, 2), atol=2e-6)


def test_the_last_layer_is_drawn_as_published() -> None:
    head = seeded(baseline_named("resnet50-blur-jpeg-0.5", "torchvision/resnet18")).head
    assert head.weight.shape == (1, 512)
    assert abs(float(head.weight.detach().std()) - 0.02) < 0.002
    assert not head.bias.any()


def test_the_loss_is_the_log_loss_of_the_scores() -> None:
    baseline = baseline_named("resnet50-blur-jpeg-0.5")
    outputs, labels = torch.tensor([[-1.5], [0.25], [3.0]]), torch.tensor([0, 1, 0])
    losses = baseline.losses(outputs, labels).tolist()
    for loss, label, score in zip(losses, labels, baseline.scores(outputs), strict=True):
        assert loss == pytest.approx(
            log_loss([int(label)], [float(score)], labels=[0, 1]), rel=1e-5
        )


def test_no_part_is_frozen() -> None:
    for name in ("resnet50-blur-jpeg-0.5", "clip-vit-l14-tuned"):
        assert all(parameter.requires_grad for parameter in seeded(small(name)).parameters())
