"""Kubernetes's quantities and cron's schedules, as numbers."""

from __future__ import annotations

import re
from decimal import Decimal

_UNITS = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTP", 1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTP", 1)},
}
_QUANTITY = re.compile(r"^(\d+(?:\.\d+)?)([a-zA-Z]*)$")
# Minute, hour, day of the month, month, day of the week.
_FIELDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


def parse_quantity(text: str | int) -> Decimal:
    """`500m` → 0.5, `2Gi` → 2147483648.

    Raises:
        ValueError: no quantity.
    """
    match = _QUANTITY.match(str(text))
    if match is None or match[2] not in _UNITS:
        raise ValueError(f"{text!r} is no quantity; expected a number and perhaps m, k, Mi, Gi ...")
    return Decimal(match[1]) * _UNITS[match[2]]


def parse_daily_schedule(schedule: str) -> int:
    """`5 0 * * *` → 5: the minute of the day at which it starts, every day.

    Raises:
        ValueError: no schedule of cron, or not one that starts once a day.
    """
    fields = schedule.split()
    if len(fields) != len(_FIELDS):
        raise ValueError(f"{schedule!r} has {len(fields)} fields; expected five")
    for field, (least, most) in zip(fields, _FIELDS, strict=True):
        if field != "*" and not (field.isdecimal() and least <= int(field) <= most):
            raise ValueError(f"{schedule!r}: {field!r} is neither * nor a number {least}-{most}")
    minute, hour, *days = fields
    if "*" in (minute, hour) or days != ["*"] * 3:
        raise ValueError(f"{schedule!r} does not start once a day")
    return int(hour) * 60 + int(minute)
