"""How many queries of hard banks one pass settles, and how many need more: `search_cases.py`.

    python benchmarks/search_cases.py

Made-up banks of 20,000 rows of 768 numbers, 256 queries, k = 9, in each precision of the scan. All
neighbours, similarities and distances are held against brute force in float64, to the bit: sums
along rows, in NumPy's order. A precision that the processor has no instructions for is slow, and
finds the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from search_data import DIM, Floats

from ufd_ray.detectors import Neighbors, NeighborSearch, merge_neighbors, rank_of

NUM_ROWS, NUM_QUERIES, K = 20_000, 256, 9
Labels = NDArray[np.int8]
Names = NDArray[np.str_]


def cone(rng: np.random.Generator, num: int, cosine: float) -> Floats:
    """Rows that share a direction: their mean cosine is as asked."""
    rows = rng.standard_normal((num, DIM)) * np.sqrt((1 - cosine) / DIM)
    rows += np.sqrt(cosine / DIM)
    return rows.astype(np.float32)


def near_duplicates(rng: np.random.Generator) -> Floats:
    """Each of a hundred rows two hundred times, nearer than float32 can tell."""
    rows = np.repeat(cone(rng, 100, 0.6), NUM_ROWS // 100, axis=0)
    return (rows * (1 + 3e-7 * rng.standard_normal(rows.shape))).astype(np.float32)


def crowd(rng: np.random.Generator) -> Floats:
    """More near-duplicates of each of five rows than a pool holds."""
    rows = np.repeat(cone(rng, 5, 0.6), NUM_ROWS // 5, axis=0)
    return (rows * (1 + 3e-7 * rng.standard_normal(rows.shape))).astype(np.float32)


CASES: dict[str, Callable[[np.random.Generator], Floats]] = {
    "random": lambda rng: rng.standard_normal((NUM_ROWS, DIM)).astype(np.float32),
    "cone, cosine .5": lambda rng: cone(rng, NUM_ROWS, 0.5),
    "cone, cosine .8": lambda rng: cone(rng, NUM_ROWS, 0.8),
    "near-duplicates by the 200": near_duplicates,
    "near-duplicates by the 4,000": crowd,
    "exact ties, 8 of each": lambda rng: rng.permutation(
        np.repeat(cone(rng, NUM_ROWS // 8, 0.6), 8, axis=0)
    ),
    "one class only": lambda rng: cone(rng, NUM_ROWS, 0.6),
    "4 parts, one of 5 rows, one empty": lambda rng: cone(rng, NUM_ROWS, 0.6),
}


def main() -> None:
    print("| bank | scan in | certified | recomputed | settled |")
    print("|---|---|---:|---:|---:|")
    for number, (name, make) in enumerate(CASES.items()):
        rng = np.random.default_rng(number)
        bank = make(rng)
        labels = np.zeros(len(bank), np.int8)
        if name != "one class only":
            labels = rng.integers(0, 2, len(bank)).astype(np.int8)
        names = np.char.mod("%08x", rng.permutation(len(bank)))
        queries = bank[rng.integers(0, len(bank), NUM_QUERIES)]
        queries[::2] *= (1 + rng.standard_normal((NUM_QUERIES // 2, DIM)) / 20).astype(np.float32)
        right = list(brute_force(bank, labels, names, queries))
        for precision, half, device in choose():
            if "parts" in name:
                cuts = np.split(np.arange(len(bank)), [5, 5, 9000])
                found = in_parts(bank, labels, names, queries, cuts, half, device)
            else:
                search = NeighborSearch(bank, labels, names, half=half, device=device)
                found = search.search(queries, K)
            columns = (found.index, found.similarity, found.real_similarity, found.fake_similarity)
            for ours, theirs in zip(columns, right, strict=True):
                if not np.array_equal(ours, theirs, equal_nan=theirs.dtype.kind == "f"):
                    raise SystemExit(f"{name}, {precision}: other neighbours than brute force")
            _, certified, recomputed, settled = found.counts.all
            print(f"| {name} | {precision} | {certified} | {recomputed} | {settled} |", flush=True)


def choose() -> Iterator[tuple[str, bool, str]]:
    yield "float32", False, "cpu"
    yield "bfloat16", True, "cpu"
    if torch.cuda.is_available():
        yield "float16 (GPU)", True, "cuda"


def in_parts(
    bank: Floats,
    labels: Labels,
    names: Names,
    queries: Floats,
    parts: list[NDArray[np.int64]],
    half: bool,
    device: str,
) -> Neighbors:
    found = []
    for rows in parts:
        shard = NeighborSearch(bank[rows], labels[rows], names[rows], half=half, device=device)
        part = shard.search(queries, min(K, len(rows)))
        found.append(replace(part, index=rows[part.index]))
    return merge_neighbors(found, rank_of(labels, names), K)


def brute_force(
    bank: Floats, labels: Labels, names: Names, queries: Floats
) -> Iterator[NDArray[np.generic]]:
    """Neighbours, their similarities, the largest similarity to a real and to a fake row."""
    units, asked = (
        rows.astype(np.float64) / np.sqrt((rows.astype(np.float64) ** 2).sum(axis=1))[:, None]
        for rows in (bank, queries)
    )
    similarity = np.stack([(units * query).sum(axis=1) for query in asked])
    order = np.stack([np.lexsort((names, labels, -row))[:K] for row in similarity])
    yield order
    yield np.take_along_axis(similarity, order, axis=1)
    for label in (0, 1):
        of_class = similarity[:, labels == label]
        yield of_class.max(axis=1) if of_class.shape[1] else np.full(len(queries), np.nan)


if __name__ == "__main__":
    main()
