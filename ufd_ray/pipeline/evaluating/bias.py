"""Files of all sets, held against each other: the guard of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc

from ufd_ray.evaluation import SetPlan
from ufd_ray.evaluation.format_bias import (
    FEWEST,
    MARGIN,
    FormatBias,
    bias_lines,
    bias_table,
    find_bias,
    traits_columns,
)
from ufd_ray.images import Alignment
from ufd_ray.pipeline.evaluating.account import names_and_labels
from ufd_ray.pipeline.evaluating.scores import Collected


@dataclass(frozen=True)
class Guard:
    """What the files of all sets tell.

    Attributes:
        given: by set, of the files as they came.
        aligned: of what they were made into; None: they were left as they are.
        quality: at which; None likewise.
    """

    given: dict[str, FormatBias]
    aligned: dict[str, FormatBias] | None
    quality: int | None

    def lines(self) -> list[str]:
        """What the terminal says."""
        return bias_lines(self.given, self.aligned, self.quality)

    def table(self) -> list[str]:
        """The section of `tables.md`."""
        return bias_table(self.given, self.aligned)

    def to_dict(self) -> dict[str, Any]:
        """`format_bias` of `evaluation.json`."""
        sets = {name: {"as_they_came": _described(bias)} for name, bias in self.given.items()}
        for name, bias in (self.aligned or {}).items():
            sets[name]["aligned"] = _described(bias)
        return {"margin": MARGIN, "fewest": FEWEST, "sets": sets}


def guard_sets(
    plan: SetPlan, collected: Collected, alignment: Alignment | None, seed: int
) -> Guard | None:
    """Hold files of real images and fakes against each other, in every set that is judged.

    Args:
        plan: which sets, by which images.
        collected: the rows of the flow.
        alignment: what their images were made into; None: they were left as they are.
        seed: of all draws.

    Returns:
        None where no traits were asked for.
    """
    traits = collected.traits
    if not traits.column_names:
        return None
    names, labels = names_and_labels(collected)
    hashes = np.array(traits["content_hash"].to_pylist(), object)
    found: list[dict[str, FormatBias]] = []
    for column in [name for name in traits.column_names if name != "content_hash"]:
        fields = _fields(traits[column])
        found.append({})
        for name in plan.reals_of:
            rows = plan.rows(name, names, labels)
            columns = traits_columns({field: values[rows] for field, values in fields.items()})
            found[-1][name] = find_bias(columns, labels[rows], hashes[rows], seed=seed)
    if alignment is None:
        return Guard(found[0], None, None)
    return Guard(found[0], found[1], alignment.quality)


def _fields(column: Any) -> Mapping[str, Any]:
    """Each field of a column of `TRAITS`, (n,)."""
    return {
        field.name: np.asarray(pc.struct_field(column, field.name).to_numpy())
        for field in column.type
    }


def _described(bias: FormatBias) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "n_real": bias.n_real,
        "n_fake": bias.n_fake,
        "chance": bias.chance,
        "lowest_quality": bias.lowest_quality,
        "found": bias.found if bias.average_precision else None,
    }
    for name, interval in (
        ("average_precision", bias.average_precision),
        ("accuracy", bias.accuracy),
    ):
        facts[name] = asdict(interval) if interval else None
    return facts | {"telling": [asdict(one) for one in bias.telling]}
