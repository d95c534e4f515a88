"""A recipe's optimiser, and where training stands as named arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ufd_ray.baselines import TrainingRecipe

BETA_2 = 0.999
_NETWORK, _OPTIMIZER = "network", "optimizer"


def make_optimizer(recipe: TrainingRecipe, network: nn.Module) -> torch.optim.Optimizer:
    """The optimiser of a recipe, with its first learning rate."""
    parameters = [one for one in network.parameters() if one.requires_grad]
    rate, decay = recipe.learning_rate, recipe.weight_decay
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(
            parameters,
            lr=rate,
            momentum=recipe.momentum,
            dampening=recipe.dampening,
            weight_decay=decay,
        )
    betas = (recipe.momentum, BETA_2)
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(parameters, lr=rate, betas=betas, weight_decay=decay)
    return torch.optim.Adam(parameters, lr=rate, betas=betas)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """For the steps to come."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def to_arrays(network: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, NDArray[Any]]:
    """All that they need to go on, by name: copies on the CPU."""
    tensors = {f"{_NETWORK}.{name}": one for name, one in network.state_dict().items()}
    for number, state in optimizer.state_dict()["state"].items():
        for name, one in state.items():
            if one is not None:
                tensors[f"{_OPTIMIZER}.{number}.{name}"] = torch.as_tensor(one)
    return {name: np.array(one.detach().cpu().numpy()) for name, one in tensors.items()}


def from_arrays(
    arrays: Mapping[str, NDArray[Any]], network: nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    """Put back what `to_arrays` gave."""
    parts: dict[str, dict[str, torch.Tensor]] = {_NETWORK: {}, _OPTIMIZER: {}}
    for name, array in arrays.items():
        part, _, rest = name.partition(".")
        parts[part][rest] = torch.from_numpy(np.array(array))
    network.load_state_dict(parts[_NETWORK])
    states: dict[int, dict[str, torch.Tensor]] = {}
    for name, one in parts[_OPTIMIZER].items():
        number, _, rest = name.partition(".")
        states.setdefault(int(number), {})[rest] = one
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": states, "param_groups": groups})
