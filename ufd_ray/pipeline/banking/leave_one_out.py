"""The flow in which each row of a bank is searched in all the others.

shards ─read─▶ rows ─search, itself left out─▶ distances, reasons ─append─▶ parts

Of a small bank one task does all of it: a flow takes seconds to start.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import ray
import ray.data
import torch

from ufd_ray.detectors import look_without
from ufd_ray.errors import UfdError
from ufd_ray.pipeline.cluster import this_node
from ufd_ray.pipeline.placement import LIGHT, Pool
from ufd_ray.pipeline.progress import timed
from ufd_ray.pipeline.ray_errors import our_errors_only
from ufd_ray.pipeline.searching import OpenSearch
from ufd_ray.storage import (
    BankInfo,
    StorageOptions,
    open_filesystem,
    parse_uri,
    read_searchable,
    write_table,
)

STAGE = "leave one out"
_QUERIES = 2048
"""Rows that are searched at a time where the plan does not say how many."""
_FEW = 20_000
"""Searchable rows up to which a bank is left to one task."""
_COLUMNS = ("image_id", "uri", "member", "label", "source", "embedding")
_ARROW: dict[str, Any] = {"batch_format": "pyarrow", "zero_copy_batch": True}


@dataclass(frozen=True)
class Drawing:
    """Which rows are searched.

    Attributes:
        share: of all, 0–1.
        seed: draws them.
    """

    share: float = 1.0
    seed: int = 0

    def draw(self, image_ids: Any) -> npt.NDArray[np.bool_]:
        """Which of these rows are: each by its id alone, in any company and order.

        Args:
            image_ids: (n,) strings.
        """
        if self.share >= 1:
            return np.ones(len(image_ids), bool)
        digests = (
            hashlib.blake2b(f"{self.seed} {name}".encode(), digest_size=8).digest()
            for name in image_ids.to_pylist()
        )
        drawn = [int.from_bytes(digest, "big") / 2**64 < self.share for digest in digests]
        return np.array(drawn, bool)


def leave_one_out(
    bank: BankInfo,
    search: OpenSearch,
    pool: Pool,
    storage: StorageOptions,
    drawing: Drawing,
    k: int,
    parts: str,
    tally: Any = None,
) -> None:
    """Search the drawn rows: what `look_without` says of each, as Parquet files in `parts`.

    Args:
        bank: whose rows.
        search: in all of them.
        pool: workers that search.
        storage: how storage is reached.
        drawing: which rows are searched.
        k: neighbours that are looked at, 1 … rows that are searched - 1.
        parts: URI of the folder.
        tally: where times are reported; None: nowhere.

    Raises:
        UfdError: a shard cannot be read or searched, or a part not be written.
    """
    if bank.num_searchable <= _FEW:
        task = ray.remote(num_cpus=LIGHT)(_look_at_all)
        # Not before the bank is read: the worker that reads it is free then, and has PyTorch.
        ray.wait([search.evidence], fetch_local=False)
        with our_errors_only():
            ray.get(task.remote(bank, search, storage, drawing, k, parts, tally))
        return
    shards = ray.data.from_items([{"shard": number} for number in range(len(bank.shards))])
    rows = shards.map_batches(
        partial(_read_rows, bank=bank, drawing=drawing, storage=storage),
        batch_size=1,
        num_cpus=LIGHT,
        **_ARROW,
    ).repartition(target_num_rows_per_block=search.plan.queries_at_once or _QUERIES)
    found = rows.map_batches(
        SearchWithout,
        fn_constructor_kwargs={"search": search, "k": k, "tally": tally},
        batch_size=None,
        **pool.arguments(search.plan.batches_at_once),
        **_ARROW,
    )
    found.write_parquet(
        parse_uri(parts).path,
        filesystem=open_filesystem(parse_uri(parts), storage),
        ray_remote_args={"num_cpus": LIGHT / 2},
    )


def _look_at_all(
    bank: BankInfo,
    search: OpenSearch,
    storage: StorageOptions,
    drawing: Drawing,
    k: int,
    parts: str,
    tally: Any,
) -> None:
    stage = SearchWithout(search=search, k=k, tally=tally)
    numbers = pa.table({"shard": range(len(bank.shards))})
    rows = pa.concat_tables(_read_rows(numbers, bank, drawing, storage))
    at_once = search.plan.queries_at_once or _QUERIES
    starts = range(0, len(rows), at_once)
    found = pa.concat_tables(stage(rows.slice(start, at_once)) for start in starts)
    write_table(parts, "rows.parquet", found, storage)


def _read_rows(
    shards: Any, bank: BankInfo, drawing: Drawing, storage: StorageOptions
) -> Iterator[Any]:
    for number in shards["shard"].to_pylist():
        shard = replace(bank, shards=[bank.shards[number]])
        rows = read_searchable(shard, storage, _COLUMNS)
        yield rows.filter(pa.array(drawing.draw(rows["image_id"])))


class SearchWithout:
    """Ray stage: rows of a bank → what all the others say of them.

    Args:
        search: in all of a bank's rows.
        k: neighbours that are looked at.
        tally: where times are reported; None: nowhere.
    """

    def __init__(self, *, search: OpenSearch, k: int, tally: Any = None) -> None:
        self._num_threads = this_node()[0]  # of which Ray would give one
        self._failure: UfdError | None = None
        try:
            self._search, self._evidence = search.connect()
        except UfdError as error:
            self._failure = error
        self._k = k
        self._tally = tally

    def __call__(self, rows: Any) -> Any:
        """Look at a batch, as `look_without` does.

        Raises:
            UfdError: the bank cannot be read or used (see `EncodeImages`).
        """
        if self._failure is not None:
            raise self._failure
        torch.set_num_threads(self._num_threads)  # see `DetectGenerated`
        with timed(self._tally, STAGE, len(rows)):
            return look_without(rows, self._search, self._evidence, self._k)
