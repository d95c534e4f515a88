"""Test sets as they are listed: each image gets the name of its own, and they are counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ufd_ray.errors import SettingsError
from ufd_ray.evaluation import SetNames, SetPlan, plan_sets
from ufd_ray.evaluation.means import GROUP
from ufd_ray.pipeline.banking.labelled import require_labels
from ufd_ray.schema import MEAN_MARGIN
from ufd_ray.storage import printable

if TYPE_CHECKING:
    from ufd_ray.pipeline.evaluating.sampled import SampledImages

TEST_SET = "test_set"
"""The further column that carries the name from the listing to the scores."""
_NUM_NAMED = 3


class ListedSets:
    """The test sets of a job.

    Args:
        inputs: what `--input` names.
        sampled: draws images for figures as they pass; None: there are to be no figures.
    """

    def __init__(self, inputs: Sequence[str], sampled: SampledImages | None = None) -> None:
        self._names = SetNames(inputs)
        self._sampled = sampled
        self._counts: Counter[tuple[str, int]] = Counter()

    def named(self, tables: Iterable[Any]) -> Iterator[Any]:
        """The tables of the inputs with the column `TEST_SET`.

        Raises:
            SettingsError: an image of which nothing says in which set it is, or a set that is
                called as groups are.
        """
        for table in tables:
            uris, members = table["uri"].to_pylist(), table["member"].to_pylist()
            sources: list[str | None] = [None] * len(table)
            if "source" in table.column_names:
                sources = table["source"].to_pylist()
            names = list(map(self._names.name, uris, members, sources))
            if None in names:
                raise SettingsError(
                    f"--input: nothing says in which test set {uris[names.index(None)]} is;"
                    " expected a column `source` in its manifest, or a folder below --input"
                )
            if odd := [name for name in names if name is not None and name.startswith(GROUP)]:
                raise SettingsError(
                    f"--input: a test set may not be called {odd[0]}: means are called {GROUP}…;"
                    " give it another `source`"
                )
            kept = [name for name in table.column_names if not _is_ours(name)]
            column = pa.array(names, pa.string())
            yield table.select(kept).append_column(TEST_SET, column)

    def counted(self, tables: Iterable[Any]) -> Iterator[Any]:
        """The tables of the manifest as they pass, each image once.

        Raises:
            SettingsError: images without a label, or no set that can be judged.
        """
        for table in tables:
            require_labels(table, "--input")
            pairs = zip(table[TEST_SET].to_pylist(), table["label"].to_pylist(), strict=True)
            self._counts.update(pairs)
            if self._sampled is not None:
                self._sampled.take(table)
            yield table
        plan = self.plan
        if plan.left_out and not plan.reals_of:
            told = [f"{name}: {why}" for name, why in plan.left_out.items()]
            more = ["…"] if len(told) > _NUM_NAMED else []
            raise SettingsError(
                "--input: no test set has both real and fake images"
                f" ({'; '.join(told[:_NUM_NAMED] + more)}); expected 0_real and 1_fake below the"
                " folder of each, or a manifest whose `source` is that of both"
            )

    @property
    def plan(self) -> SetPlan:
        """What is judged of what was listed so far."""
        return plan_sets(self._counts)

    def tell(self) -> None:
        """Say what is judged of what was listed, and what is left out."""
        plan = self.plan
        for name, why in plan.left_out.items():
            print(printable(f"set {name} is left out: {why}"))
        print(printable(f"{len(plan.reals_of):,} test sets: {', '.join(plan.reals_of)}"))


def _is_ours(name: str) -> bool:
    """Whether a column of the flow bears this name, so that none of a manifest's may."""
    return name == TEST_SET or name.startswith(MEAN_MARGIN)
