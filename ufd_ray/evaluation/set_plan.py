"""Which test sets can be judged, by which images, and why the others cannot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ufd_ray.evaluation.paper.sets import PAPER_SETS, REALS_OF
from ufd_ray.schema import FAKE, REAL

_ORDER = {key: place for place, key in enumerate(PAPER_SETS)}


@dataclass(frozen=True)
class SetPlan:
    """What is judged.

    Attributes:
        reals_of: each set that is judged → the one whose real images it takes, itself as a rule.
            The paper's come first, in its order, then the others by name.
        left_out: each of the others → the reason.
    """

    reals_of: dict[str, str]
    left_out: dict[str, str]

    def rows(
        self, name: str, names: NDArray[np.object_], labels: NDArray[np.int8]
    ) -> NDArray[np.int64]:
        """The images by which a set is judged.

        Args:
            name: of the set.
            names: (n,) str, the set that each image lies in.
            labels: (n,) int8, 0 real, 1 fake.

        Returns:
            (m,) int64, their places.
        """
        of_reals = (names == self.reals_of[name]) & (labels == REAL)
        return np.flatnonzero(of_reals | ((names == name) & (labels == FAKE)))

    def used(self, names: NDArray[np.object_], labels: NDArray[np.int8]) -> NDArray[np.bool_]:
        """Which images judge at least one set; arguments as for `rows`."""
        found = np.zeros(len(names), bool)
        for name in self.reals_of:
            found[self.rows(name, names, labels)] = True
        return found


def plan_sets(counts: Mapping[tuple[str, int], int]) -> SetPlan:
    """Decide which sets can be judged.

    A set of the paper that has no real images of its own takes those that the paper gives it.

    Args:
        counts: images by set and label, 0 real, 1 fake.
    """
    names = sorted({name for name, _ in counts}, key=lambda name: (_ORDER.get(name, 99), name))

    def has(name: str, label: int) -> bool:
        return counts.get((name, label), 0) > 0

    reals_of, left_out = dict[str, str](), dict[str, str]()
    for name in names:
        lender = name if has(name, REAL) else REALS_OF.get(name, name)
        if not has(name, FAKE):
            left_out[name] = f"{counts.get((name, REAL), 0):,} real images and no fake one"
        elif not has(lender, REAL):
            more = f", and none in {lender}" if lender != name else ""
            left_out[name] = f"{counts[name, FAKE]:,} fake images and no real one{more}"
        else:
            reals_of[name] = lender
    lending = set(reals_of.values())
    return SetPlan(reals_of, {name: why for name, why in left_out.items() if name not in lending})
