"""How fast each stage of scoring is alone, and how near it comes to what the machine allows.

    python benchmarks/stages.py --output FOLDER           # some ten minutes on 2 cores
    python benchmarks/stages.py --only decode,search --rounds 5
    python benchmarks/stages.py --only encode --device cuda

The stages are the pipeline's own functions and classes, called in this process with the batches
that a run gives them; writing goes through Ray Data, as in a run. Cases of a stage, and their
ceilings, take turns; medians count. *Images/s* is by the clock; *a core* is by the work of this
process and of the one that decodes, which the clock says nothing of where several cores work. MB/s
are of files for fetch and decode, of pixels for encode, of embeddings for probe and search, of
Parquet for write.

Ceilings: one thread's copy of the same bytes (of a local file; of a whole image's pixels, of which
a crop need not make all; of embeddings), a TCP connection on loopback, a square matrix product in
the same precision with as many operations, for a search the fastest layout of its own product, and
a file written in one go. Nothing waits for the disk. S3 is the tests' server (Ceph's where it is
installed, else moto). Pictures are made, weights are random: they decide no time.
"""

from __future__ import annotations

import ufd_ray.pipeline  # noqa: F401  (sets what Ray reads when it is imported)

# isort: split
import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import ray
import torch
from hardware import machine
from search_data import make_bank, make_queries
from search_stage import WARM_QUERIES
from stages_reading import Pictures, decode_cases, local_cases, s3_cases
from stages_scoring import ROWS_A_BLOCK, encode_cases, probe_case, search_cases, write_case
from stages_turns import Case, take_turns, write

from ufd_ray.pipeline.cluster import join_cluster

STAGES = ("fetch", "decode", "encode", "probe", "search", "write")
ENCODERS = {
    "timm/tf_efficientnet_lite0": {"cpu": 256, "cuda": 8192},
    "ViT-B-32-quickgelu": {"cpu": 64, "cuda": 8192},
    "ViT-L-14-quickgelu": {"cpu": 8, "cuda": 2048},
}
"""How many images each encodes in a turn."""
PROBED = 65_536
SEARCHED = 2048
WRITTEN = (20, 120)
"""Files of the two flows whose difference is taken."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", help=f"these stages, comma-separated: {','.join(STAGES)}")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each case")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="that encodes")
    parser.add_argument("--encoders", nargs="+", default=list(ENCODERS), choices=ENCODERS)
    parser.add_argument("--bank", type=int, default=50_000, help="rows that are searched")
    parser.add_argument("--output", type=Path, help="folder for table and JSON")
    asked = parser.parse_args()
    asked.stages = asked.only.split(",") if asked.only else list(STAGES)
    if unknown := set(asked.stages) - set(STAGES):
        raise SystemExit(f"--only {','.join(sorted(unknown))}: there are {', '.join(STAGES)}")
    about = machine(asked.device)
    print("\n".join(f"{name}: {value}" for name, value in about.items()), flush=True)
    cases: list[Case] = []
    with tempfile.TemporaryDirectory(prefix="ufd-ray-stages-") as folder:
        for some in measured_groups(asked, Path(folder)):
            cases += some
            if asked.output:  # all there is so far, as the rest may take long
                write(asked.output, about, cases)


def measured_groups(asked: argparse.Namespace, folder: Path) -> Iterator[list[Case]]:
    """The cases of one stage after the other, each measured."""
    if {"fetch", "decode"} & set(asked.stages):
        pictures = Pictures()
    if "fetch" in asked.stages:
        local = list(local_cases(pictures, folder))
        take_turns(local, asked.rounds)
        yield local
        with s3_cases(pictures) as remote:
            take_turns(remote, asked.rounds)
        yield remote
    if "decode" in asked.stages:
        decoded = list(decode_cases(pictures))
        take_turns(decoded, asked.rounds)
        yield decoded
    if {"encode", "probe", "search", "write"} & set(asked.stages):
        # The stages ask Ray how many cores there are, and writing is Ray's.
        ray.init("local", include_dashboard=False, log_to_driver=False)
        try:
            yield from groups_on_ray(asked, folder)
        finally:
            ray.shutdown()


def groups_on_ray(asked: argparse.Namespace, folder: Path) -> Iterator[list[Case]]:
    cluster = join_cluster()
    torch.set_num_threads(max(cluster.cpus_by_node))
    if "encode" in asked.stages:
        numbers = {arch: ENCODERS[arch][asked.device] for arch in asked.encoders}
        encoded = list(encode_cases(numbers, asked.device))
        take_turns(encoded, asked.rounds, work_is_here=asked.device == "cpu")
        yield encoded
        del encoded
    if not {"probe", "search", "write"} & set(asked.stages):
        return
    bank = make_bank(asked.bank)
    queries = make_queries(SEARCHED, bank.vectors)
    if "probe" in asked.stages:
        rows = make_queries(PROBED, bank.vectors)
        probed = [probe_case(rows)]
        take_turns(probed, asked.rounds)
        yield probed
    if "search" in asked.stages:
        batches = (WARM_QUERIES, SEARCHED)
        searched = list(search_cases(bank, queries, cluster, folder, batches))
        take_turns(searched, asked.rounds)
        yield searched
    if "write" in asked.stages:
        case = write_case(queries[:ROWS_A_BLOCK], folder, *WRITTEN, asked.rounds)
        print("| " + " | ".join(case.cells()) + " |", flush=True)
        yield [case]


if __name__ == "__main__":
    main()
