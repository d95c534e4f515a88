"""The few rows of very many that a page shows: chosen as they pass, never more than a few held."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_KEY = "__key"
_ORDER = [(_KEY, "ascending"), ("image_id", "ascending")]


class Lowest:
    """The rows with the lowest keys; of equals, those whose `image_id` comes first.

    Args:
        num: how many.
    """

    def __init__(self, num: int) -> None:
        self._num = num
        self._held: Any = None

    def add(
        self, rows: Any, keys: npt.NDArray[np.floating], among: npt.NDArray[np.bool_] | None = None
    ) -> None:
        """Take rows into account.

        Args:
            rows: `pa.Table` with `image_id`, n rows; always with the same columns.
            keys: (n,) floating, finite for all rows that count.
            among: (n,) bool, which count; None: all.
        """
        places = np.arange(len(rows)) if among is None else np.flatnonzero(among)
        if len(places) > self._num:
            # By keys alone first: rows with all their columns are copied for the chosen ones only.
            last = np.partition(keys[places], self._num - 1)[self._num - 1]
            places = places[keys[places] <= last]
        own = rows.take(places).append_column(_KEY, pa.array(keys[places], pa.float64()))
        held = own if self._held is None else pa.concat_tables([self._held, own])
        chosen = pc.select_k_unstable(held.select([_KEY, "image_id"]), self._num, _ORDER)
        self._held = held.take(chosen)

    def rows(self) -> list[dict[str, Any]]:
        """Those that were chosen, lowest first."""
        if self._held is None:
            return []
        return list(self._held.sort_by(_ORDER).drop_columns([_KEY]).to_pylist())


class OneOfEach:
    """One row of each stratum, whichever: the one whose `image_id` comes first.

    Ids are digests of names, so that this is a draw that comes out the same every time.

    Args:
        edges: (m,) floating, ascending: a stratum begins at each, and one lies below them all.
    """

    def __init__(self, edges: npt.NDArray[np.floating]) -> None:
        self._edges = edges
        self._strata = [Lowest(1) for _ in range(len(edges) + 1)]

    def add(
        self, rows: Any, values: npt.NDArray[np.floating], among: npt.NDArray[np.bool_]
    ) -> None:
        """Take rows into account; arguments as of `Lowest.add`."""
        places = np.flatnonzero(among)
        strata = np.searchsorted(self._edges, values[places], side="right")
        ids = rows["image_id"].take(places)
        drawn = pa.table({"stratum": strata, "image_id": ids})
        drawn = drawn.group_by("stratum").aggregate([("image_id", "min")])
        found = places[np.asarray(pc.index_in(drawn["image_id_min"], ids))]
        for stratum, place in zip(drawn["stratum"].to_pylist(), found.tolist(), strict=True):
            self._strata[stratum].add(rows.slice(place, 1), np.zeros(1))

    def rows(self) -> list[dict[str, Any]]:
        """Those that were drawn, by stratum, the lowest first."""
        return [row for stratum in self._strata for row in stratum.rows()]
