"""How far a bank's own rows lie from one another, as `bank.json` keeps it, checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class LeaveOneOut:
    """Cosine distances, 0–2, from rows of a bank to the nearest row that is not themselves.

    Attributes:
        quantile: share of images like the bank's that were to count as within it, in (0, 1].
        distance: beyond it an image is out of the bank.
        coverage: share of images like the bank's that lie within it, at least, on average: about
            `quantile`, less where there are too few rows for that.
        num_rows: rows whose nearest other was looked for.
        sampled: whether these are a sample of the rows that are searched, or all of them.
        quantiles: further distances, by the quantile as it is written: `0.5`.
    """

    quantile: float
    distance: float
    coverage: float
    num_rows: int
    sampled: bool
    quantiles: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Any) -> LeaveOneOut:
        """The inverse of `to_dict`.

        Raises:
            KeyError: a name is missing.
            ValueError: it is no such thing, or a number is beyond its range.
        """
        if not isinstance(content, Mapping) or not isinstance(content["quantiles"], Mapping):
            raise ValueError("leave_one_out is no table of distances")
        return cls(
            quantile=_within(content, "quantile", 1),
            distance=_within(content, "distance", 2),
            coverage=_within(content, "coverage", 1),
            num_rows=int(content["num_rows"]),
            sampled=bool(content["sampled"]),
            quantiles={k: _within(content["quantiles"], k, 2) for k in content["quantiles"]},
        )


def _within(content: Mapping[str, Any], name: str, high: float) -> float:
    value = content[name]
    number = math.nan if isinstance(value, bool) or value is None else float(value)
    if not 0 <= number <= high:
        raise ValueError(f"leave_one_out: {name} is {value!r}; expected 0–{high:g}")
    return number
