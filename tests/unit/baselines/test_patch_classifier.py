"""The patch classifier: truncated as published, and what patches make of an image."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import timm
import torch
import torchvision
from torch import Tensor

from tests.unit.baselines.networks import num_parameters, pictures, seeded
from ufd_ray.baselines import baseline_named

NAMES = ("patch-resnet50-layer1", "patch-xception-block2")


def test_sizes() -> None:
    """Counted from the tables of both papers, a 1×1 convolution of 256 → 2 at the end."""
    bottlenecks = 64 * 64 + 2 * 256 * 64 + 3 * 64 * 64 * 9 + 3 * 64 * 256 + 64 * 256
    norms = 64 * 2 + 3 * (64 + 64 + 256) * 2 + 256 * 2
    resnet = 3 * 64 * 49 + bottlenecks + norms + 514
    assert num_parameters(baseline_named(NAMES[0]).build()) == resnet == 225_858
    entry = 3 * 32 * 9 + 32 * 2 + 32 * 64 * 9 + 64 * 2
    blocks = [
        9 * (narrow + wide) + narrow * wide + wide * wide + narrow * wide + 3 * wide * 2
        for narrow, wide in ((64, 128), (128, 256))
    ]
    xception = entry + sum(blocks) + 514
    assert num_parameters(baseline_named(NAMES[1]).build()) == xception == 191_330


def resnet_reference(arch: str, inputs: Tensor, state: dict[str, Tensor]) -> Tensor:
    whole = torchvision.models.get_model(arch.removesuffix("-layer1"), weights=None)
    whole.load_state_dict(state, strict=False)
    whole.eval()
    return whole.layer1(whole.maxpool(whole.relu(whole.bn1(whole.conv1(inputs)))))


def xception_reference(arch: str, inputs: Tensor, state: dict[str, Tensor]) -> Tensor:
    whole = timm.create_model("legacy_xception").eval()
    seen: list[Tensor] = []
    last = getattr(whole, arch.removeprefix("xception-"))
    last.register_forward_hook(lambda *given: seen.append(given[2]))
    whole.load_state_dict(state, strict=False)
    whole(inputs)
    return seen[0]


@pytest.mark.parametrize(
    ("arch", "reference"),
    [
        ("resnet50-layer1", resnet_reference),
        ("resnet18-layer1", resnet_reference),
        ("xception-block2", xception_reference),
        ("xception-block1", xception_reference),
    ],
)
def test_it_is_the_beginning_of_the_whole_classifier(
    arch: str, reference: Callable[..., Tensor]
) -> None:
    baseline = baseline_named(NAMES["xception" in arch], arch)
    network, inputs = seeded(baseline).eval(), baseline.inputs(pictures(2)[0])
    with torch.inference_mode():
        expected = network.head(reference(arch, inputs, network.backbone.state_dict()))
        assert torch.equal(network(inputs), expected)


@pytest.mark.parametrize(
    ("name", "arch", "size", "step"),
    [
        (NAMES[0], "resnet50-layer1", 35, 4),
        (NAMES[0], "resnet18-layer1", 43, 4),
        (NAMES[1], "xception-block2", 43, 8),
        (NAMES[1], "xception-block1", 19, 4),
    ],
)
def test_receptive_fields(name: str, arch: str, size: int, step: int) -> None:
    """A NaN spreads to the patches that see its pixel, and to no others."""
    network = baseline_named(name, arch).build().double().eval()
    width = 112
    columns = torch.zeros(width, 3, 7, width, dtype=torch.float64)
    columns[torch.arange(width), :, :, torch.arange(width)] = torch.nan
    with torch.inference_mode():
        seen = network(columns).isnan().any(1).any(1)  # (column, patch)
    middle = seen.shape[1] // 2
    first, following = (seen[:, patch].nonzero().flatten() for patch in (middle, middle + 1))
    assert len(first) == first[-1] - first[0] + 1 == size
    assert following[0] - first[0] == step


@pytest.mark.parametrize("name", NAMES)
def test_numbers_are_drawn_as_published(name: str) -> None:
    """Xavier's normal with gain .02; batch norms around 1; no offsets."""
    network = seeded(baseline_named(name))
    for key, tensor in network.state_dict().items():
        if tensor.ndim == 4:
            fans = tensor[0].numel() + tensor.shape[0] * tensor[0, 0].numel()
            expected = 0.02 * (2 / fans) ** 0.5
            assert float(tensor.std() / expected) == pytest.approx(1, abs=0.15), key
        elif key.endswith("running_var"):
            assert (tensor == 1).all()
        elif key.endswith("weight"):
            assert 0 < (tensor - 1).abs().max() < 0.1, key
        else:
            assert not tensor.any(), key


def outputs_of(seed: int) -> tuple[Tensor, Tensor]:
    numbers = torch.Generator().manual_seed(seed)
    return torch.randn(4, 2, 5, 7, generator=numbers) * 3, torch.tensor([0, 1, 1, 0])


def test_the_loss_is_the_cross_entropy_of_all_patches() -> None:
    outputs, labels = outputs_of(0)
    losses = baseline_named(NAMES[0]).losses(outputs, labels)
    of_patches = labels.repeat_interleave(35)
    patches = outputs.permute(0, 2, 3, 1).reshape(-1, 2)
    expected = torch.nn.functional.cross_entropy(patches, of_patches)
    torch.testing.assert_close(losses.mean(), expected)


def test_heat_is_the_softmax_and_scores_are_made_of_it() -> None:
    outputs, _ = outputs_of(1)
    mean, votes, mean_logits = (
        baseline_named(NAMES[1], options={"scoring": scoring})
        for scoring in ("mean", "votes", "mean-logits")
    )
    heat = torch.sigmoid(outputs[:, 1] - outputs[:, 0])
    torch.testing.assert_close(mean.heat(outputs), heat)
    torch.testing.assert_close(mean.scores(outputs), heat.mean((1, 2)))
    torch.testing.assert_close(votes.scores(outputs), (heat > 0.5).float().mean((1, 2)))
    logits = (outputs[:, 1] - outputs[:, 0]).mean((1, 2))
    torch.testing.assert_close(mean_logits.scores(outputs), torch.sigmoid(logits))
