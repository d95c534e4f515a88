"""How far from a bank an image may be before the bank has nothing to say about it.

The rule is that of split conformal prediction: of n distances, the ceil((n + 1) · q)-th smallest is
passed by at most a share 1 - q of new ones, on average over banks, whatever the distribution, as
long as new images and the bank's are exchangeable (Vovk, Gammerman, Shafer: Algorithmic Learning in
a Random World, 2005, chapter 2; Papadopoulos et al., ECML 2002). A bank's own rows serve as their
own calibration set here: each is searched in all the others, one row fewer than a new image is
searched in, and a distance to fewer rows is no smaller. So the bound holds with the bank's own
distances, too.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ufd_ray.storage import LeaveOneOut

QUANTILES = (0.5, 0.9, 0.95, 0.99, 0.995, 0.999, 1.0)
"""Those that are told beside the one that was asked for, so that people see the distribution."""


def place_of(quantile: float, num: int) -> int:
    """Which of `num` distances, smallest first, bounds those of a share `quantile` of new images.

    Where so few allow no bound of that level, and for a quantile of 1, it is the last.
    """
    # Exactly as the number is written: 0.9 of 10 is 9, and no rounding makes it 10.
    return min(num, ceil((num + 1) * Fraction(str(quantile))))


def rows_needed(quantile: float) -> int | None:
    """The fewest rows that bound a share `quantile` of new images; None: no number of them does."""
    beyond = 1 - Fraction(str(quantile))
    return ceil(1 / beyond) - 1 if beyond else None


def nearest_distances(real: NDArray[Any], fake: NDArray[Any]) -> NDArray[np.float32]:
    """Distance to the nearest image of either class, in float32, as rows of a run have both.

    Args:
        real: (n,) distance to the nearest real one; NaN where there is none.
        fake: likewise.
    """
    nearest: NDArray[np.float32] = np.fmin(real, fake).astype(np.float32)
    return nearest


def sum_up(distances: NDArray[np.floating[Any]], quantile: float, *, sampled: bool) -> LeaveOneOut:
    """What a bank's leave-one-out distances allow.

    Args:
        distances: (n,) cosine distances, each to the nearest row that is not the row itself.
        quantile: share of images like the bank's that are to count as within it, in (0, 1].
        sampled: whether they are those of a sample.

    Raises:
        ValueError: there is none, or one is not finite.
    """
    if not len(distances) or not np.isfinite(distances).all():
        raise ValueError("leave-one-out distances have to be finite, one at least")
    rising, num = np.sort(distances.astype(np.float64)), len(distances)
    at = {q: float(rising[place_of(q, num) - 1]) for q in (*QUANTILES, quantile)}
    return LeaveOneOut(
        quantile=quantile,
        distance=at[quantile],
        coverage=place_of(quantile, num) / (num + 1),
        num_rows=num,
        sampled=sampled,
        quantiles={f"{q:g}": at[q] for q in QUANTILES},
    )


def tell_bound(found: LeaveOneOut) -> list[str]:
    """What counts as out of the bank, in a line or two."""
    whose = f"{'a sample of ' if found.sampled else ''}{found.num_rows:,} rows"
    lines = [
        f"out of the bank is what lies farther than {found.distance:.4g} from all of it (cosine):"
        f" of {whose}, {100 * found.quantile:g} % have another one that near"
    ]
    needed = rows_needed(found.quantile)
    if found.quantile < 1 and needed is not None and found.num_rows < needed:
        lines.append(
            f"for {found.quantile:g} it takes {needed:,} rows: that distance is the largest of"
            f" {found.num_rows:,}, and {100 * (1 - found.coverage):.2g} % of images like the bank's"
            " may still lie beyond it"
        )
    return lines
