"""Some images of every test set and class, drawn while the listing passes: for figures."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from ufd_ray.evaluation import SetPlan
from ufd_ray.pipeline.evaluating.listed_sets import TEST_SET
from ufd_ray.report.figures import MOST_PANELS
from ufd_ray.schema import FAKE, POSITION, REAL

MOST_OF_A_SET = 2_000
"""Images of a set and class whose spectra are averaged, as in the paper (section 3)."""
MOST_OF_A_CLASS = 500
"""Images of a class that are points of a map, those of all test sets together."""

Stratum = tuple[str, int]
"""Test set, and label."""


class SampledImages:
    """Draws of every stratum, each image as likely as another; in memory are no more than these.

    Args:
        seed: for the same listing, the same images.
    """

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._lots: dict[Stratum, npt.NDArray[np.float64]] = {}
        self._positions: dict[Stratum, npt.NDArray[np.int64]] = {}

    def take(self, table: Any) -> None:
        """Let the images of a table draw: `pa.Table` with `position`, `TEST_SET` and `label`."""
        positions = np.asarray(table[POSITION.name])
        lots = self._random.random(len(table))
        names = table[TEST_SET].combine_chunks().dictionary_encode()
        codes, labels = np.asarray(names.indices), np.asarray(table["label"])
        for code, name in enumerate(names.dictionary.to_pylist()):
            for label in (REAL, FAKE):
                own = (codes == code) & (labels == label)
                if own.any():
                    self._keep((name, label), lots[own], positions[own])

    def _keep(
        self, stratum: Stratum, lots: npt.NDArray[np.float64], positions: npt.NDArray[np.int64]
    ) -> None:
        # The lowest lots stay, in their order: who comes late has the same chance.
        lots = np.concatenate([self._lots.get(stratum, np.empty(0)), lots])
        positions = np.concatenate([self._positions.get(stratum, np.empty(0, np.int64)), positions])
        lowest = np.argsort(lots, kind="stable")[:MOST_OF_A_SET]
        self._lots[stratum], self._positions[stratum] = lots[lowest], positions[lowest]

    def of_sets(self, plan: SetPlan) -> npt.NDArray[np.int64]:
        """Up to 2,000 images of every class of every set that is judged and has a panel.

        Args:
            plan: which sets, by whose real images.

        Returns:
            (n,) positions, rising.
        """
        shown = SetPlan(dict(list(plan.reals_of.items())[:MOST_PANELS]), {})
        chosen = [self._positions[stratum] for stratum in self._used(shown)]
        return np.sort(np.concatenate([np.empty(0, np.int64), *chosen]))

    def of_classes(self, plan: SetPlan) -> npt.NDArray[np.int64]:
        """Up to 500 images of each class, as many of every set as of another, as far as they go.

        Of all sets that are judged. Arguments and result as of `of_sets`.
        """
        chosen = []
        for label in (REAL, FAKE):
            own = [self._positions[s] for s in self._used(plan) if s[1] == label]
            # The first of every set, then the second of every set, and so on.
            ranks = np.concatenate([np.empty(0, np.int64), *(np.arange(len(p)) for p in own)])
            first = np.argsort(ranks, kind="stable")[:MOST_OF_A_CLASS]
            chosen.append(np.concatenate([np.empty(0, np.int64), *own])[first])
        return np.sort(np.concatenate(chosen))

    def _used(self, plan: SetPlan) -> Iterable[Stratum]:
        strata = [(lender, REAL) for lender in plan.reals_of.values()]
        strata += [(name, FAKE) for name in plan.reals_of]
        return dict.fromkeys(stratum for stratum in strata if stratum in self._positions)
