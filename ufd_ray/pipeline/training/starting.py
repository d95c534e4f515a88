"""A baseline's network as it is before the first step."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from ufd_ray.baselines import Baseline
from ufd_ray.encoders import EncoderSpec
from ufd_ray.encoders.build import build_tower
from ufd_ray.encoders.checkpoints import WeightsFile
from ufd_ray.encoders.tower import own_random_numbers
from ufd_ray.errors import SettingsError
from ufd_ray.storage import StorageOptions, absolute_uri, object_exists


def starting_spec(
    baseline: Baseline, weights: str | None, storage: StorageOptions
) -> EncoderSpec | None:
    """Whose weights a baseline's network starts from; None: it is trained from scratch.

    Args:
        baseline: which.
        weights: tag, file, URI or `random:SEED`; None: the published tag.
        storage: how URIs are reached.

    Raises:
        SettingsError: there are none like that, or none are wanted.
    """
    if baseline.backbone_arch is None:
        if weights is not None:
            raise SettingsError(
                f"--weights {weights}: {baseline.name} is trained from scratch; leave it out"
            )
        return None
    spec = EncoderSpec.parse(f"{baseline.backbone_arch}:{weights or baseline.weights_tag}")
    if spec.kind != "file":
        return spec
    if not object_exists(spec.weights, storage):
        raise SettingsError(f"--weights {spec.weights}: there is no such file")
    return replace(spec, weights=absolute_uri(spec.weights))


def new_network(
    baseline: Baseline, spec: EncoderSpec | None, seed: int, storage: StorageOptions
) -> tuple[nn.Module, WeightsFile | None]:
    """Build a network on the CPU in float32, the same for the same seed wherever it is.

    Args:
        baseline: whose.
        spec: of `starting_spec`.
        seed: of the numbers that are drawn.
        storage: how weights are reached.

    Returns:
        The network, and the file of the weights it starts from; None: all of it is random.

    Raises:
        SettingsError: the weights are those of another architecture.
        StorageError: they cannot be had.
    """
    with own_random_numbers(seed):
        network = baseline.build()
    if spec is None:
        return network, None
    tower, file = build_tower(spec, storage=storage)
    baseline.start_from(network, tower.module.state_dict())
    return network, file


def check_start(
    baseline: Baseline, spec: EncoderSpec, seed: int, storage: StorageOptions
) -> WeightsFile | None:
    """Build it and throw it away: what it starts from, and errors, as of `new_network`."""
    return new_network(baseline, spec, seed, storage)[1]
