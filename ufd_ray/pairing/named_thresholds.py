"""What `--threshold` and `--unsure-above` mean: a number, or the name of one that was found."""

from __future__ import annotations

from typing import Any

from ufd_ray.errors import SettingsError
from ufd_ray.settings import SCALES, DecidingSettings
from ufd_ray.storage import NeighborsFile, ProbeFiles

_VOTE_DEFAULT, _MARGIN_DEFAULT = 0.5, 0.0


def default_threshold(
    settings: DecidingSettings, probe: ProbeFiles | None, neighbors: NeighborsFile | None
) -> float:
    """The threshold of whoever decides, where nobody asks for another."""
    if settings.decider == "neighbors":
        return _VOTE_DEFAULT
    found = _found(settings, probe, neighbors)
    value = found.thresholds["default"] if found else None
    return _MARGIN_DEFAULT if value is None else value


def threshold_of(
    flag: str,
    given: float | str,
    settings: DecidingSettings,
    probe: ProbeFiles | None,
    neighbors: NeighborsFile | None,
) -> float:
    """The number that is meant.

    Args:
        flag: which one it was given with, for messages.
        given: a number, or a name.
        settings: who decides.
        probe: where its thresholds are kept, if it does.
        neighbors: where those of the margin are kept; None: nowhere.

    Raises:
        SettingsError: none of this name could be found; the message says why, and what to do.
    """
    if isinstance(given, float):
        return given
    if given == "default":
        return default_threshold(settings, probe, neighbors)
    by_probe = settings.decider == "probe"
    whose = f"probe {settings.probe}" if by_probe else f"the margin of bank {settings.bank}"
    place = f"--probe {settings.probe}" if by_probe else f"--bank {settings.bank}"
    remedy = f"find it on labelled images of your own with jobs/calibrate.py {place}"
    found = _found(settings, probe, neighbors)
    if found is None:
        raise SettingsError(
            f"--{flag} {given}: {whose} has none, for there is no neighbors.json beside it;"
            f" {remedy}, or give a number"
        )
    value = found.thresholds[given.replace("-", "_")]
    low, high = SCALES[settings.decider]
    if value is None:
        why = _why_not(found.details, given.replace("-", "_"))
        raise SettingsError(
            f"--{flag} {given}: {whose} has none: {why}; {remedy}, or give a number"
        )
    if not low <= value <= high:  # a calibration's middle may lie where no margin is
        raise SettingsError(
            f"--{flag} {given}: that of {whose} is {value:g}, beyond all that it says ({low:g} to"
            f" {high:g}); {remedy}, or give a number"
        )
    return value


def _found(
    settings: DecidingSettings, probe: ProbeFiles | None, neighbors: NeighborsFile | None
) -> ProbeFiles | NeighborsFile | None:
    return probe if settings.decider == "probe" else neighbors


def _why_not(details: dict[str, Any], name: str) -> str:
    judged = details.get("judged")
    reasons = judged.get("why_not") if isinstance(judged, dict) else None
    if not isinstance(reasons, dict) or name not in reasons:
        return "nothing was looked for when it was made"
    return str(reasons[name])
