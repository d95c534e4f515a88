"""An audit of a bank in numbers, and in a few lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow.compute as pc

from ufd_ray.detectors.audit import ONE_AND_THE_SAME, Reason, suspects_by_chance
from ufd_ray.schema import FAKE, REAL

_NAMES = {REAL: "real", FAKE: "fake"}


class AuditSummary:
    """Counts of an audit, taken a batch at a time.

    Args:
        k: neighbours that were looked at.
    """

    def __init__(self, k: int) -> None:
        self._k = k
        self._reasons: Counter[str] = Counter()
        # By what is counted, label, and whether the row has a duplicate.
        self._rows: Counter[tuple[str, int, bool]] = Counter()

    def add(self, rows: Any) -> None:
        """Count a batch.

        Args:
            rows: `pa.Table` or record batch with the columns of `AUDIT`.
        """
        for entry in rows["reason"].drop_null().value_counts().to_pylist():
            self._reasons[entry["values"]] += entry["counts"]
        label = np.asarray(rows["label"])
        nearest = pc.min_element_wise(rows["nn_real_distance"], rows["nn_fake_distance"])
        doubled = 1 - np.asarray(nearest, np.float64) >= ONE_AND_THE_SAME
        votes, margins = np.asarray(rows["nn_vote"]), np.asarray(rows["nn_margin"])
        counted = {
            "rows": np.ones(len(label), bool),
            "vote": (votes > 0.5) == (label == FAKE),
            # Null where it is the only one of its class: no margin, and none that is right.
            "margin": ((margins > 0) == (label == FAKE)) & ~np.isnan(margins),
        }
        for name, which in counted.items():
            for label_of in (REAL, FAKE):
                for twin in (False, True):
                    some = which & (label == label_of) & (doubled == twin)
                    self._rows[name, label_of, twin] += int(some.sum())

    def lines(self) -> list[str]:
        """What a person wants to know of it first."""
        num_doubled = self._count("rows", REAL, (True,)) + self._count("rows", FAKE, (True,))
        found = self._reasons
        lines = [f"each image judged by all the others: {self._accuracy((False, True))}"]
        if num_doubled:
            lines.append(
                f"without the {num_doubled:,} that have a duplicate: {self._accuracy((False,))}"
            )
        lines += [
            f"duplicates: {found[Reason.DUPLICATE]:,} of their own class,"
            f" {found[Reason.DUPLICATE_OF_OTHER_CLASS]:,} of the other one",
            f"suspect labels: {found[Reason.SUSPECT_LABEL]:,}, whose {self._k} nearest others are"
            f" all of the other class (labels without meaning would give {self._by_chance():.3g})",
        ]
        return lines

    def _accuracy(self, twins: Sequence[bool]) -> str:
        said = []
        for kind in ("vote", "margin"):
            shares = [
                f"{_percent(self._count(kind, label, twins), self._count('rows', label, twins))} of"
                f" {name}"
                for label, name in _NAMES.items()
            ]
            whose = f"vote of {self._k}" if kind == "vote" else kind
            said.append(f"the {whose} is right for {', '.join(shares)}")
        return "; ".join(said)

    def _count(self, what: str, label: int, twins: Sequence[bool] = (False, True)) -> int:
        return sum(self._rows[what, label, twin] for twin in twins)

    def _by_chance(self) -> float:
        return suspects_by_chance(self._count("rows", REAL), self._count("rows", FAKE), self._k)


def tell_row(row: Mapping[str, Any]) -> str:
    """A line on one row.

    Args:
        row: a row of `AUDIT`.
    """
    name = row["uri"] if row["member"] is None else f"{row['uri']} {row['member']}"
    line = (
        f"{row['reason']}: {name} ({_NAMES[row['label']]}), nearest is {row['nearest_uri']}"
        f" ({_NAMES[row['nearest_label']]}, similarity {row['nearest_similarity']:.6f})"
    )
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)  # strangers' names


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "none"
