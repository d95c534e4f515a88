"""Gradients in one piece of memory, optimisers by their recipe, and where they stand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest
import torch
from torch import nn

from ufd_ray.baselines import TrainingRecipe
from ufd_ray.pipeline.training.optimizing import (
    from_arrays,
    make_optimizer,
    set_learning_rate,
    to_arrays,
)
from ufd_ray.pipeline.training.sums import Sums, Totals

KINDS: tuple[Literal["adam", "adamw", "sgd"], ...] = ("adam", "adamw", "sgd")


def make_network(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 1))


def some(seed: int, num: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    numbers = torch.Generator().manual_seed(seed)
    return torch.randn(num, 5, generator=numbers), torch.randint(0, 2, (num,), generator=numbers)


def losses(network: nn.Module, seed: int) -> torch.Tensor:
    inputs, labels = some(seed)
    return nn.functional.binary_cross_entropy_with_logits(
        network(inputs).flatten(), labels.float(), reduction="none"
    )


@pytest.fixture(scope="module")
def alone() -> Iterator[None]:
    """A group of one worker."""
    store = torch.distributed.HashStore()
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.usefixtures("alone")
def test_the_gradient_is_that_of_the_mean_loss_however_it_is_added_up() -> None:
    ours, theirs = make_network(), make_network()
    ours.eval()
    theirs.eval()
    sums = Sums(ours)
    for step in range(2):  # what one step left is gone in the next
        theirs.zero_grad()
        expected = losses(theirs, step)
        expected.mean().backward()
        sums.clear()
        inputs, labels = some(step)
        for few in (slice(0, 5), slice(5, 5), slice(5, 12)):
            logits = ours(inputs[few]).flatten()
            sums.add(
                nn.functional.binary_cross_entropy_with_logits(
                    logits, labels[few].float(), reduction="none"
                )
            )
        total = sums.reduce(3, is_broken=False)
        assert total == Totals(pytest.approx(float(expected.detach().sum()), rel=1e-5), 12, 3, 0)
        for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(mine.grad, other.grad)


@pytest.mark.usefixtures("alone")
def test_a_step_without_images_has_no_gradient() -> None:
    network = make_network()
    sums = Sums(network)
    sums.add(losses(network, 0))
    sums.clear()
    assert sums.reduce(0, is_broken=True) == Totals(0.0, 0, 0, 1)
    assert all(not one.grad.any() for one in network.parameters() if one.grad is not None)


@pytest.mark.parametrize("kind", KINDS)
def test_it_goes_on_with_the_same_bits(kind: Literal["adam", "adamw", "sgd"]) -> None:
    recipe = TrainingRecipe(kind, 0.05, 4, dampening=0.9 if kind == "sgd" else 0.0)
    whole, begun, gone_on = make_network(), make_network(), make_network(seed=9)
    one, two, three = (make_optimizer(recipe, network) for network in (whole, begun, gone_on))

    def run(network: nn.Module, optimizer: torch.optim.Optimizer, steps: range) -> None:
        for step in steps:
            optimizer.zero_grad()
            losses(network, step).mean().backward()
            optimizer.step()

    run(whole, one, range(6))
    run(begun, two, range(3))
    from_arrays(to_arrays(begun, two), gone_on, three)
    run(begun, two, range(3, 5))  # what was taken is a copy
    run(gone_on, three, range(3, 6))
    for name, value in whole.state_dict().items():
        assert torch.equal(value, gone_on.state_dict()[name]), name


def test_optimisers_are_those_of_their_recipes() -> None:
    network = make_network()
    sgd = make_optimizer(
        TrainingRecipe("sgd", 0.01, 16, momentum=0.8, dampening=0.7, weight_decay=1e-4), network
    )
    group = sgd.param_groups[0]
    assert isinstance(sgd, torch.optim.SGD)
    assert [group[n] for n in ("lr", "momentum", "dampening", "weight_decay")] == [
        *(0.01, 0.8, 0.7, 1e-4)
    ]
    adam = make_optimizer(TrainingRecipe("adam", 1e-4, 64), network)
    assert type(adam) is torch.optim.Adam
    assert adam.param_groups[0]["betas"] == (0.9, 0.999)
    adamw = make_optimizer(TrainingRecipe("adamw", 1e-4, 256, weight_decay=0.1), network)
    assert isinstance(adamw, torch.optim.AdamW)
    assert adamw.param_groups[0]["weight_decay"] == 0.1
    set_learning_rate(adamw, 0.5)
    assert adamw.param_groups[0]["lr"] == 0.5
