"""What holds for every baseline's network: shapes, gradients, ranges, and that it learns."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tests.unit.baselines.networks import PUBLISHED, SMALL, pictures, seeded, small
from ufd_ray.baselines import BASELINES, Baseline, baseline_named

SHAPES = {
    "resnet50-blur-jpeg-0.1": (2, 1),
    "resnet50-blur-jpeg-0.5": (2, 1),
    "clip-vit-l14-tuned": (2, 1),
    "patch-resnet50-layer1": (2, 2, 56, 56),
    "patch-xception-block2": (2, 2, 37, 37),
    "co-occurrence": (2, 1),
    "spectrum": (2, 2),
}
FEATURES = {
    "resnet50-blur-jpeg-0.1": 2048,
    "resnet50-blur-jpeg-0.5": 2048,
    "clip-vit-l14-tuned": 768,
    "co-occurrence": 256,
    "spectrum": 512,
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_shapes_as_published(name: str) -> None:
    """Without numbers, so that the largest takes no memory."""
    baseline = baseline_named(name)
    size = baseline.test_pixels.size
    with torch.device("meta"):
        network = baseline.build().to("meta")
        inputs = torch.empty(2, 3, size, size)
        outputs = network(inputs)
        features = baseline.features(network, inputs) if baseline.has_features else None
        scores = baseline.scores(outputs)
    assert outputs.shape == SHAPES[name]
    assert scores.shape == (2,)
    assert baseline.has_features == (name in FEATURES)
    assert features is None or features.shape == (2, FEATURES[name])


@pytest.mark.parametrize(
    ("name", "arch"), [(name, arch) for name, known in BASELINES.items() for arch in known.archs]
)
def test_batch_norm_is_known_of(name: str, arch: str) -> None:
    baseline = baseline_named(name, arch)
    with torch.device("meta"):
        layers = list(baseline.build().modules())
    assert baseline.has_batch_norm == any(isinstance(one, nn.BatchNorm2d) for one in layers)


def outputs_of(baseline: Baseline) -> Tensor:
    outputs: Tensor = seeded(baseline)(baseline.inputs(pictures(2)[0]))
    return outputs.detach()


@pytest.mark.parametrize("name", SMALL)
def test_every_parameter_gets_a_gradient(name: str) -> None:
    baseline, (pixels, labels) = small(name), pictures(6)
    network = seeded(baseline)
    with torch.no_grad():
        for parameter in network.parameters():  # some are 0 at first, and let nothing through
            parameter += 0.01
    losses = baseline.losses(network(baseline.inputs(pixels)), labels)
    assert losses.shape == (6,)
    losses.mean().backward()
    for parameter_name, parameter in network.named_parameters():
        gradient = parameter.grad
        assert gradient is not None, parameter_name
        assert gradient.isfinite().all(), parameter_name
        assert gradient.any(), parameter_name


@pytest.mark.parametrize("name", SMALL)
def test_a_seed_decides_the_numbers(name: str) -> None:
    first, same, other = (seeded(small(name), seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[key], same[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


@pytest.mark.parametrize("name", SMALL)
def test_scores_are_float32_from_0_to_1(name: str) -> None:
    baseline = small(name)
    outputs = outputs_of(baseline)
    for precision in (torch.float32, torch.bfloat16):
        scores = baseline.scores((outputs * 1e4).to(precision))
        assert scores.dtype == torch.float32
        assert ((scores >= 0) & (scores <= 1)).all()


@pytest.mark.parametrize("name", SMALL)
def test_losses_ask_for_the_score(name: str) -> None:
    """Where an image's loss is pushed down, its score goes to its label."""
    baseline = small(name)
    outputs = torch.zeros(4, *outputs_of(baseline).shape[1:], requires_grad=True)
    labels = torch.tensor([0, 1, 1, 0])
    baseline.losses(outputs, labels).sum().backward()
    assert outputs.grad is not None
    pushed = baseline.scores(outputs - outputs.grad).detach()
    assert ((pushed > baseline.scores(outputs)) == (labels == 1)).all()


@pytest.mark.parametrize("name", SMALL)
def test_it_learns(name: str) -> None:
    baseline = small(name)
    pixels, labels = pictures(8)
    network, inputs = seeded(baseline), baseline.inputs(pixels)
    steps = torch.optim.Adam(network.parameters(), 1e-3)
    gaps = []
    for _ in range(40):
        outputs = network(inputs)
        scores = baseline.scores(outputs).detach()
        gaps.append(float(scores[labels == 1].min() - scores[labels == 0].max()))
        if gaps[-1] > 0.1:
            break
        steps.zero_grad()
        baseline.losses(outputs, labels).mean().backward()
        steps.step()
    assert gaps[0] < 0.1 < gaps[-1]


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["co-occurrence", "spectrum"])
def test_inputs_are_made_on_the_pixels_device(name: str) -> None:
    baseline, pixels = baseline_named(name), pictures(2, size=224)[0]
    found = baseline.inputs(pixels.cuda())
    assert found.is_cuda
    torch.testing.assert_close(found.cpu(), baseline.inputs(pixels), atol=2e-3, rtol=0)
