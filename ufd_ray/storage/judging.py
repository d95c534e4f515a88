"""Thresholds and a calibration, as `probe.json` and `neighbors.json` keep them, checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

THRESHOLDS = ("default", "tuned", "max_fpr", "calibrated")
"""Their names; all but the first may be null, with the reason in `judged`."""

_METHODS = ("platt", "temperature")


def check_thresholds(
    found: Any, low: float = -math.inf, high: float = math.inf
) -> dict[str, float | None]:
    """The thresholds by name, those that are not there as None: an older file has the first alone.

    Args:
        found: what stands under `thresholds`.
        low: of the scale on which they lie, where it has bounds.
        high: likewise.

    Raises:
        ValueError: they are unusable; the message says what was expected.
    """
    if not isinstance(found, Mapping):
        raise ValueError(f"thresholds are a {type(found).__name__}; expected numbers by name")
    for name in THRESHOLDS:
        value: Any = found.get(name)
        if value is None and name != "default":
            continue
        if not (_is_number(value) and low <= value <= high):
            expected = f"{low:g}–{high:g}" if math.isfinite(low) else "a finite number"
            raise ValueError(f"threshold {name} is {value!r}; expected {expected}")
    return {name: _float(found.get(name)) for name in THRESHOLDS}


def check_calibration(found: Any) -> dict[str, Any] | None:
    """The calibration, None where there is none.

    Raises:
        ValueError: it is unusable; the message says what was expected.
    """
    if found is None:
        return None
    sound = (
        isinstance(found, Mapping)
        and found.get("method") in _METHODS
        and all(_is_number(found.get(name)) for name in ("scale", "shift"))
        and found["scale"] > 0
    )
    if not sound:
        raise ValueError(
            f"calibration is {found!r}; expected null, or method (platt or temperature), a finite"
            " scale over 0 and a finite shift"
        )
    return {
        "method": found["method"],
        "scale": float(found["scale"]),
        "shift": float(found["shift"]),
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _float(value: Any) -> float | None:
    return None if value is None else float(value)
