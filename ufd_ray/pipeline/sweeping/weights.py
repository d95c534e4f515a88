"""Where the weights of other banks' encoders lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ufd_ray.encoders import EncoderSpec
from ufd_ray.errors import SettingsError
from ufd_ray.pipeline.sweeping.banks import OtherBank
from ufd_ray.settings import EvaluateSettings
from ufd_ray.storage import StorageOptions, object_exists

EmbeddedBy = tuple[str, str]
"""What test images are embedded by: encoder_id, and the kept precision."""


def find_weights(
    settings: EvaluateSettings,
    others: Mapping[EmbeddedBy, Sequence[OtherBank]],
    own: EmbeddedBy,
    storage: StorageOptions,
) -> dict[EmbeddedBy, str | None]:
    """File or URI of each encoder's weights; None: where the encoder's own name says.

    Args:
        settings: the job's.
        others: banks, by what test images have to be embedded by.
        own: what they are embedded by for the evaluation itself, whose encoder has `--weights`.
        storage: how files are reached.

    Raises:
        SettingsError: a file is not there, belongs to no encoder that is loaded, or one encoder
            has two.
    """
    found: dict[EmbeddedBy, str | None] = {}
    for by, sharing in others.items():
        given = _given(settings, sharing)
        if by == own:
            if given:
                raise SettingsError(
                    f"--compare-weights {next(iter(given))}: this bank's encoder is the"
                    " evaluation's own, whose weights --weights names; leave it out"
                )
            continue
        if len(set(given.values())) > 1:
            raise SettingsError(
                f"--compare-weights {', '.join(given)}: these banks are of one encoder, and the"
                " files differ; give one of them"
            )
        of_own = settings.weights if by[0] == own[0] else None
        found[by] = next(iter(given.values()), of_own)
        _check(sharing[0], found[by], storage)
    return found


def _given(settings: EvaluateSettings, sharing: Sequence[OtherBank]) -> dict[str, str]:
    """Name → place, of the banks whose weights were given."""
    places = settings.compared_weights
    return {one.name: places[one.name] for one in sharing if one.name in places}


def _check(other: OtherBank, place: str | None, storage: StorageOptions) -> None:
    spec = EncoderSpec(other.encoder.arch, other.encoder.weights)
    source = place or (spec.weights if spec.kind == "file" else None)
    if source is not None and not object_exists(source, storage):
        raise SettingsError(
            f"--compare-bank {other.name}: there are no weights at {source}; --compare-weights"
            f" {other.name}=FILE says where they are"
        )
