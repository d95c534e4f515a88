"""Exact nearest neighbours: ours, faiss and scikit-learn, and the bare matrix products below them.

    pip install faiss-cpu==1.15.1
    python benchmarks/search.py --banks 200000 --queries 1024 --ks 9    # some three minutes
    python benchmarks/search.py --output FOLDER                         # an hour or more
    python benchmarks/search.py --device cuda
    python benchmarks/search.py --stage                                 # through Ray

Made-up embeddings of 768 numbers and of length one, in a cone as an image encoder's are: mean
cosine about .5, clusters, correlated numbers, some rows almost alike. All methods get the same rows
and queries and the same number of threads, and take turns; medians count. Building is timed apart.

The bare products (fp32, bf16) are plain `torch.mm` over the same bank and queries, with nothing
made of the results: in one call, or in tiles into one buffer over and over, laid out in the fastest
of several ways. On a sample of queries our rows are held against brute force in float64; of the
others it is counted where they differ from ours.

A method whose run would take longer than `--cap-s`, judged by what it took before, is left out, and
one whose run would take half a minute has one turn.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from hardware import machine
from search_cuda import Cuvs, FaissGpu, HalfTopk, ScanAlone
from search_data import Bank, Floats, make_bank, make_queries
from search_peers import Build, Faiss, Method, Ours, Rows, ScikitLearn, nearest_by_float64
from search_product import Product
from search_report import Figure, table, write
from threadpoolctl import threadpool_limits

CHECKED_QUERIES = 32
WARM_QUERIES = 256
ONE_TURN_S = 30.0

ON_CPU: dict[str, Build] = {
    "ours": Ours,
    "faiss": Faiss,
    "sklearn": ScikitLearn,
    "fp32": partial(Product, dtype=torch.float32),
    "bf16": partial(Product, dtype=torch.bfloat16),
}
ON_CUDA: dict[str, Build] = {
    "ours": partial(Ours, device="cuda"),
    "scan": ScanAlone,
    "topk": HalfTopk,
    "faiss": FaissGpu,
    "cuvs": Cuvs,
    "fp16": partial(Product, dtype=torch.float16, device="cuda"),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--banks", nargs="+", type=int, default=[50_000, 200_000, 720_000])
    parser.add_argument(
        "--queries", nargs="+", type=int, help="256, 1,024, 8,192; --stage: 4,096 and 16,384"
    )
    parser.add_argument("--ks", nargs="+", type=int, default=[1, 9])
    parser.add_argument("--repeats", type=int, help="turns; 3, and 5 with --stage")
    parser.add_argument("--only", help="these methods, comma-separated: ours,faiss,…")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--cap-s", type=float, default=150.0, help="longest single run, seconds")
    parser.add_argument("--output", type=Path, help="folder for table, JSON and plot")
    parser.add_argument(
        "--stage", action="store_true", help="the Ray stage instead, on the largest bank and k"
    )
    parser.add_argument(
        "--shards", nargs="*", type=int, default=[2, 4, 8], help="--stage: in so many parts, too"
    )
    given = parser.parse_args()
    given.queries = given.queries or ([4096, 16_384] if given.stage else [256, 1024, 8192])
    given.repeats = given.repeats or (5 if given.stage else 3)
    if given.stage:
        from search_stage import measure_stage

        measure_stage(given)
        return
    builds = choose(given.device, given.only)
    about = machine(given.device) | {"threads": given.threads}
    print("\n".join(f"{name}: {value}" for name, value in about.items()), flush=True)
    told: list[str] = []
    figures: list[Figure] = []
    with threadpool_limits(given.threads):
        torch.set_num_threads(given.threads)
        begun = time.perf_counter()
        bank = make_bank(max(given.banks))
        queries = make_queries(max(given.queries), bank.vectors[: min(given.banks)])
        print(f"rows and queries made in {time.perf_counter() - begun:.0f} s", flush=True)
        rates: dict[str, float] = {}
        for num_rows in sorted(given.banks):
            some = bank.first(num_rows)
            methods, took = build_all(builds, some)
            told.append(f"- built over {num_rows:,} rows: {took}")
            print(told[-1], flush=True)
            for num in sorted(given.queries):
                figures += compare(methods, some, queries[:num], given, rates)
                if given.output:  # all there is so far, as the rest may take long
                    write(given.output, about, told, figures)
            del methods
    print("\n" + "\n".join(table(figures)))


def choose(device: str, only: str | None) -> dict[str, Build]:
    """What is measured; peers are imported here, so that their threads can be counted."""
    builds = dict(ON_CUDA if device == "cuda" else ON_CPU)
    if only:
        wanted = only.split(",")
        if unknown := set(wanted) - set(builds):
            raise SystemExit(f"--only {','.join(unknown)}: there are {', '.join(builds)}")
        builds = {name: builds[name] for name in wanted}
    for name in {"faiss", "cuvs"} & set(builds):
        try:
            import_module(name)
        except ImportError as error:
            if device == "cpu":
                raise SystemExit(f"{error}: pip install it, or leave it out with --only") from error
            print(f"{name} left out: {error}")
            del builds[name]
    return builds


def build_all(builds: dict[str, Build], bank: Bank) -> tuple[dict[str, Method], str]:
    methods, times = {}, []
    for name, build in builds.items():
        begun = time.perf_counter()
        methods[name] = build(bank)
        times.append(f"{name} {time.perf_counter() - begun:.2f} s")
    return methods, ", ".join(times)


def compare(
    methods: dict[str, Method],
    bank: Bank,
    queries: Floats,
    given: argparse.Namespace,
    rates: dict[str, float],
) -> list[Figure]:
    """Let all methods take turns.

    Args:
        methods: built over the bank.
        bank: what is searched in.
        queries: what is searched for.
        given: how often, and for which k.
        rates: seconds a row and query, by method, of its last run; kept up to date.
    """
    products = len(bank.vectors) * len(queries)
    cells: list[tuple[Figure, int]] = []
    for name, method in methods.items():
        method.prepare(queries)
        warm = queries[:WARM_QUERIES]
        begun = time.perf_counter()
        method.search(warm, max(given.ks))
        took = time.perf_counter() - begun
        expected = rates.setdefault(name, took / len(bank.vectors) / len(warm)) * products
        turns, why = given.repeats if expected < ONE_TURN_S else 1, ""
        if expected > given.cap_s:
            turns, why = 0, f"about {expected:.0f} s a run"
        for k in [0] if isinstance(method, Product) else given.ks:
            figure = Figure(name, len(bank.vectors), len(queries), k, left_out=why)
            cells.append((figure, turns))
            if why:
                print(figure, flush=True)
    rows: dict[tuple[str, int], Rows] = {}
    for turn in range(given.repeats):
        for figure, turns in cells:
            if turn >= turns:
                continue
            method = methods[figure.method]
            begun = time.perf_counter()
            found = method.search(queries, figure.k)
            figure.seconds.append(time.perf_counter() - begun)
            figure.notes = method.notes
            rates[figure.method] = figure.seconds[-1] / products
            if found is not None:
                rows[figure.method, figure.k] = found
            if len(figure.seconds) == turns:
                figure.differing = differing(rows, figure)
                print(figure, flush=True)
    for (name, k), found in rows.items():
        if name == "ours":
            check(bank, queries, found, k)
    return [figure for figure, _ in cells]


def differing(rows: dict[tuple[str, int], Rows], figure: Figure) -> tuple[int, int] | None:
    """Places with another row than ours, and queries with other rows, in whatever order."""
    theirs, ours = (rows.get((name, figure.k)) for name in (figure.method, "ours"))
    if theirs is None or ours is None or figure.method == "ours":
        return None
    other_sets = (np.sort(theirs) != np.sort(ours)).any(axis=1)
    return int((theirs != ours).sum()), int(other_sets.sum())


def check(bank: Bank, queries: Floats, found: Rows, k: int) -> None:
    """Hold some of our rows against brute force in float64."""
    sample = np.unique(np.linspace(0, len(queries) - 1, CHECKED_QUERIES).astype(int))
    right = nearest_by_float64(bank, queries[sample], k)
    wrong = (found[sample] != right).any(axis=1)
    if wrong.any():
        raise SystemExit(f"ours is wrong for queries {sample[wrong].tolist()} at k = {k}")
    print(f"ours is right on a sample of {len(sample)} queries at k = {k}", flush=True)


if __name__ == "__main__":
    main()
