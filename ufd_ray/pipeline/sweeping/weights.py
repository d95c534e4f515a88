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

    What was given for one bank is taken for all banks of its encoder: each precision embeds the
    test images for itself, but by the same weights, unless it has a file of its own.

    Args:
        settings: the job's.
        others: banks, by what test images have to be embedded by.
        own: what they are embedded by for the evaluation itself, whose encoder has `--weights`.
        storage: how files are reached.

    Raises:
        SettingsError: a file is not there, belongs to no encoder that is loaded, or banks that are
            embedded together have two.
    """
    given = {by: _given(settings, sharing) for by, sharing in others.items()}
    if given.get(own):
        raise SettingsError(
            f"--compare-weights {next(iter(given[own]))}: this bank's encoder is the"
            " evaluation's own, whose weights --weights names; leave it out"
        )
    found: dict[EmbeddedBy, str | None] = {}
    for by, sharing in others.items():
        if by == own:
            continue
        if len(set(given[by].values())) > 1:
            raise SettingsError(
                f"--compare-weights {', '.join(given[by])}: these banks are of one encoder, and the"
                " files differ; give one of them"
            )
        places = {f"--compare-weights {name}": place for name, place in given[by].items()}
        if by[0] == own[0] and settings.weights:
            places.setdefault("--weights", settings.weights)
        for (encoder_id, _), of_others in given.items():
            if encoder_id == by[0]:
                places |= {f"--compare-weights {name}": place for name, place in of_others.items()}
        flag, found[by] = next(iter(places.items()), (None, None))
        _check(sharing[0], flag, found[by], storage)
    return found


def _given(settings: EvaluateSettings, sharing: Sequence[OtherBank]) -> dict[str, str]:
    """Name → place, of the banks whose weights were given."""
    places = settings.compared_weights
    return {one.name: places[one.name] for one in sharing if one.name in places}


def _check(other: OtherBank, flag: str | None, place: str | None, storage: StorageOptions) -> None:
    """See that the weights are there.

    Args:
        other: a bank of the encoder.
        flag: that names them; None: the bank itself does.
        place: where they lie; None: where the bank says.
        storage: how they are reached.
    """
    spec = EncoderSpec(other.encoder.arch, other.encoder.weights)
    source = place or (spec.weights if spec.kind == "file" else None)
    if source is None or object_exists(source, storage):
        return
    if flag:
        raise SettingsError(
            f"--compare-bank {other.name}: there are no weights at {source}, which {flag} names"
        )
    raise SettingsError(
        f"--compare-bank {other.name}: there are no weights at {source}, which the bank names;"
        f" --compare-weights {other.name}=FILE says where they are"
    )
