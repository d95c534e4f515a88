"""What Ray adds to a search: `search.py --stage`.

A bank on disk, queries in a Parquet file, and between them the search as a stage of Ray Data, with
the bank whole on each machine or in shards. The wall time of two numbers of queries gives what a
further query costs, and what a flow costs whatever it has to do (its workers' start, most of all).
The same difference is taken of the bare search in this process, by turns with all stages, on the
same threads. What the stage finds has to be what the bare search finds.
"""

from __future__ import annotations

import ufd_ray.pipeline  # noqa: F401  (sets what Ray reads when it is imported)

# isort: split
import argparse
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import ray
import torch
from hardware import machine
from search_data import DIM, Bank, Floats, make_bank, make_queries
from search_peers import Rows

from ufd_ray.detectors import NeighborSearch, search_bytes
from ufd_ray.encoders import EncoderIdentity
from ufd_ray.pipeline.cluster import Cluster, join_cluster, this_node
from ufd_ray.pipeline.placement import LIGHT, Pool
from ufd_ray.pipeline.searching import OpenSearch, SearchPlan, open_search, plan_search
from ufd_ray.schema import bank_row
from ufd_ray.settings import SearchSettings
from ufd_ray.storage import (
    BankInfo,
    StorageOptions,
    embedding_column,
    embedding_matrix,
    read_bank_info,
    write_document,
    write_table,
)

HERE = StorageOptions()
ROWS_PER_SHARD = 40_000
QUERIES_PER_BLOCK = 2048
WARM_QUERIES = 256
MADE_UP = EncoderIdentity(
    arch="made-up",
    weights="random:0",
    preprocess="crop",
    input_size=224,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    dim=DIM,
    weights_digest="0" * 64,
)
Times = dict[int, float]
"""Seconds, by number of queries."""


class SearchStage:
    """Ray stage: `position`, `embedding` → `position`, `rows` of the bank."""

    def __init__(self, opened: OpenSearch, k: int) -> None:
        torch.set_num_threads(this_node()[0])  # of which Ray would give one
        self._search, _ = opened.connect()
        self._k = k

    def __call__(self, table: Any) -> Any:
        found = self._search.search(embedding_matrix(table["embedding"]), self._k)
        rows = pa.FixedSizeListArray.from_arrays(pa.array(found.index.ravel()), self._k)
        return pa.table({"position": table["position"], "rows": rows})


def measure_stage(given: argparse.Namespace) -> None:
    """Compare the stage with the bare search, for the largest bank and k that were asked for."""
    num_rows, k = max(given.banks), max(given.ks)
    few, many = min(given.queries), max(given.queries)
    bank = make_bank(num_rows)
    queries = make_queries(many, bank.vectors)
    torch.set_num_threads(given.threads)
    about = machine("cpu") | {"threads": given.threads}
    lines = [
        ", ".join(f"{name} {value}" for name, value in about.items()),
        "",
        f"{num_rows:,} rows, k = {k}, {few:,} and {many:,} queries in batches of"
        f" {QUERIES_PER_BLOCK:,}, {given.repeats} pairs, medians",
        "",
        f"| search | opened in | {few:,}: stage | bare | {many:,}: stage | bare |"
        " a further query: stage | bare | ratio (of each pair) | a flow besides |",
        "|---|" + "---:|" * 9,
    ]
    print("\n".join(lines), flush=True)
    with tempfile.TemporaryDirectory(prefix="ufd-ray-search-") as folder:
        info = write_bank(Path(folder, "bank"), bank)
        for num in (WARM_QUERIES, few, many):
            write_queries(query_file(folder, num), queries[:num])
        bare = NeighborSearch(bank.vectors, bank.labels, bank.image_ids)
        right = bare.search(queries, k).index
        store = 3 * search_bytes(num_rows, DIM, "float32") + 2**30
        ray.init("local", object_store_memory=store, include_dashboard=False, log_to_driver=False)
        cluster = join_cluster()
        searches: dict[int, OpenSearch] = {}
        opening: dict[int, float] = {}
        for num_shards in (0, *given.shards):
            begun = time.perf_counter()
            searches[num_shards] = opened = open_search(
                choose_plan(num_shards, info, cluster), info, HERE
            )
            flow(opened, query_file(folder, WARM_QUERIES), k)
            opening[num_shards] = time.perf_counter() - begun
        alone: list[Times] = []
        staged: dict[int, list[Times]] = {num_shards: [] for num_shards in searches}
        for turn in range(given.repeats):
            alone.append(Times())
            for times in staged.values():
                times.append(Times())
            for num in (few, many):
                begun = time.perf_counter()
                bare.search(queries[:num], k)
                alone[-1][num] = time.perf_counter() - begun
                for num_shards, opened in searches.items():
                    begun = time.perf_counter()
                    found = flow(opened, query_file(folder, num), k)
                    staged[num_shards][-1][num] = time.perf_counter() - begun
                    if not np.array_equal(found, right[:num]):
                        raise SystemExit(f"the stage finds other rows ({num_shards} shards)")
            print(f"turn {turn + 1}: bare {alone[-1]}", flush=True)
            for num_shards, times in staged.items():
                print(f"  {num_shards or 'no'} shards {times[-1]}", flush=True)
        for num_shards, opened in searches.items():
            opened.close()
            pairs = list(zip(staged[num_shards], alone, strict=True))
            lines.append(row(num_shards, opening[num_shards], pairs, few, many))
            print(lines[-1], flush=True)
        if given.output:
            given.output.mkdir(parents=True, exist_ok=True)
            (given.output / "stage.md").write_text("\n".join(lines) + "\n")
    ray.shutdown()


def choose_plan(num_shards: int, bank: BankInfo, cluster: Cluster) -> SearchPlan:
    """In so many parts, all of them in memory; 0: whole."""
    where: dict[str, Any] = {"search": "sharded", "search_shards": num_shards}
    settings = SearchSettings(**(where if num_shards else {"search": "replicated"}))
    enough = 2 * search_bytes(bank.num_searchable, DIM, bank.dtype) // 2**20 + 1
    return plan_search(settings.model_copy(update={"search_memory_mb": enough}), bank, cluster)


def flow(opened: OpenSearch, queries: Path, k: int) -> Rows:
    """Stream the queries through the stage: (q, k), in the order of the file."""
    found = (
        ray.data.read_parquet(str(queries), num_cpus=LIGHT)
        .repartition(target_num_rows_per_block=QUERIES_PER_BLOCK)
        .map_batches(
            SearchStage,
            fn_constructor_args=(opened, k),
            batch_size=None,
            batch_format="pyarrow",
            zero_copy_batch=True,
            **Pool(1, 1, LIGHT).arguments(opened.plan.batches_at_once),
        )
    )
    tables = list(found.iter_batches(batch_size=None, batch_format="pyarrow"))
    together = pa.concat_tables(tables).sort_by("position").combine_chunks()
    rows: Rows = np.asarray(together["rows"].chunk(0).flatten()).reshape(-1, k)
    return rows


def row(
    num_shards: int, opening: float, pairs: list[tuple[Times, Times]], few: int, many: int
) -> str:
    def cost(times: Times) -> float:
        return (times[many] - times[few]) / (many - few)

    staged = {num: median(pair[0][num] for pair in pairs) for num in (few, many)}
    alone = {num: median(pair[1][num] for pair in pairs) for num in (few, many)}
    a_query, bare = (median(cost(pair[side]) for pair in pairs) for side in (0, 1))
    ratios = [cost(pair[0]) / cost(pair[1]) for pair in pairs]
    besides = median(pair[0][few] - cost(pair[0]) * few for pair in pairs)
    cells = [
        f"{num_shards} shards" if num_shards else "replicated",
        f"{opening:.1f} s",
        *(f"{times[num]:.2f} s" for num in (few, many) for times in (staged, alone)),
        f"{1e3 * a_query:.3f} ms",
        f"{1e3 * bare:.3f} ms",
        f"{a_query / bare:.3f} ({min(ratios):.3f} to {max(ratios):.3f})",
        f"{besides:.1f} s",
    ]
    return "| " + " | ".join(cells) + " |"


def write_bank(folder: Path, bank: Bank) -> BankInfo:
    """A bank as `build_bank` leaves it, but for the images."""
    shards = []
    for number, start in enumerate(range(0, len(bank.vectors), ROWS_PER_SHARD)):
        part = slice(start, start + ROWS_PER_SHARD)
        ids = bank.image_ids[part].tolist()
        columns = {
            "image_id": ids,
            "uri": [f"/made-up/{name}" for name in ids],
            "member": pa.nulls(len(ids), pa.string()),
            "label": bank.labels[part],
            "source": ["made up"] * len(ids),
            "split": ["train"] * len(ids),
            "view": [0] * len(ids),
            "embedding": embedding_column(bank.vectors[part]),
        }
        rows = pa.table(columns).cast(bank_row(DIM, "float32"))
        name = f"shards/part-{number:05d}.parquet"
        shards.append(asdict(write_table(str(folder), name, rows, HERE)))
    num_rows, num_fakes = len(bank.labels), int(bank.labels.sum())
    content: dict[str, Any] = {
        "encoder": MADE_UP.to_dict(),
        "dim": DIM,
        "dtype": "float32",
        "counts": {
            "label": {"0": num_rows - num_fakes, "1": num_fakes},
            "split": {"train": num_rows},
            "view": {"0": num_rows},
        },
        "shards": shards,
        "num_searchable": num_rows,
    }
    write_document(str(folder), "bank.json", content, HERE)
    return read_bank_info(str(folder), HERE)


def query_file(folder: str, num_queries: int) -> Path:
    return Path(folder, f"queries-{num_queries}.parquet")


def write_queries(path: Path, queries: Floats) -> None:
    columns = {"position": np.arange(len(queries)), "embedding": embedding_column(queries)}
    pq.write_table(pa.table(columns), path)
