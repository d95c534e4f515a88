"""Images to embeddings as whole processes: our job, clip-retrieval, Daft, a plain loop.

    python benchmarks/peers.py --environments FOLDER --output FOLDER
    python benchmarks/peers.py --only ours,plain --num-images 64 --repeats 1 --no-cold
    python benchmarks/peers.py --images web --num-images 100 600    # also: what a further one costs

All get the same JPEGs, the same open_clip checkpoint (random weights: they decide no time) and the
same cores, and take turns, each a process from its start to its end: imports, model and all. One
turn is cold: images and weights are not in memory before it (programs may be). Memory is that of
the whole tree of processes: PSS, shared pages divided among those that share them, looked at so
seldom that it slows nobody by more than a hundredth; RSS, which counts them in each, twice a
second.

Ours reads bytes to the end, checks and hashes them, scores by a probe, and publishes rows; the
others make embeddings and nothing else. clip-retrieval resizes images before it crops them, as
CLIP's own preprocessing does; the others, as our default, crop without resizing. So each is
compared with ours in the same way. Embeddings of a sample are compared with those that our encoder
makes in fp32: the largest 1 − cosine says whether it was the same work.

Given the same `--output` again, further turns are added to those that lie there.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Any

from hardware import machine
from peers_environments import interpreter, versions
from peers_material import SIDES, farthest, prepare
from peers_report import Turn, add, read, remarks, table, write
from peers_runs import PEERS, ROOT, Task, environment
from peers_watch import CommandError, watch

from ufd_ray.cpu import fast_bf16

NAMED = ("torch", "numpy", "pillow", "open-clip-torch", "ray", "daft", "clip-retrieval")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--arch", default="ViT-B-32-quickgelu", help="open_clip's name, 224 pixels")
    parser.add_argument("--num-images", type=int, nargs="+", default=[600])
    parser.add_argument("--images", choices=SIDES, default="photographs")
    parser.add_argument("--repeats", type=int, default=3, help="warm turns of each")
    parser.add_argument("--no-cold", action="store_true", help="no cold turn before them")
    parser.add_argument("--only", help=f"these, comma-separated: {','.join(PEERS)}")
    parser.add_argument("--precision", choices=("fp32", "bf16"), help="of ours and Daft's")
    parser.add_argument(
        "--environments", type=Path, default=Path("environments"), help="where peers are installed"
    )
    parser.add_argument("--work", type=Path, help="where pictures and weights stay")
    parser.add_argument("--output", type=Path, default=Path("measured"))
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # leaves no command behind
    asked.precision = asked.precision or ("bf16" if fast_bf16() else "fp32")
    chosen = choose(asked.only)
    pythons, notes = {}, []
    for name in chosen:
        try:
            pythons[name] = interpreter(name, asked.environments)
        except CommandError as error:
            notes.append(f"{name}: left out, {' '.join(str(error).split())}")
            print(notes[-1], flush=True)
    notes += [f"{name}: {PEERS[name].what}" for name in pythons]
    notes += [f"{name}: {versions(python, NAMED)}" for name, python in pythons.items()]
    about = machine("cpu")
    with tempfile.TemporaryDirectory(prefix="ufd-ray-peers-") as folder:
        work = asked.work or Path(folder, "work")
        material = prepare(work, asked.arch, asked.images, asked.num_images)
        about |= {"encoder": asked.arch, "pictures": asked.images}
        about |= {"size": f"{SIDES[asked.images]}, {material.kilobytes:.0f} KB on average"}
        print("\n".join(f"{key}: {value}" for key, value in about.items()), flush=True)
        for turn in range(asked.repeats + (not asked.no_cold)):
            for num_images in asked.num_images:
                for name, python in pythons.items():
                    task = Task(python, material, num_images, asked.precision, Path(folder, "out"))
                    cold = turn == 0 and not asked.no_cold
                    try:
                        add(asked.output, run(name, task, asked.images, cold))
                    except CommandError as error:
                        raise SystemExit(f"{name}: {error}") from error
    turns = read(asked.output, asked.arch, asked.images)
    write(asked.output, f"peers-{asked.arch}-{asked.images}", about, turns, notes)
    print("\n".join(["", *table(turns), "", *remarks(turns)]))


def choose(only: str | None) -> list[str]:
    if only is None:
        return list(PEERS)
    wanted = only.split(",")
    if unknown := set(wanted) - set(PEERS):
        raise SystemExit(f"--only {', '.join(sorted(unknown))}: there are {', '.join(PEERS)}")
    return wanted


def run(name: str, task: Task, kind: str, cold: bool) -> Turn:
    """One process, watched; its output is looked at and thrown away.

    Raises:
        CommandError: it failed.
    """
    peer, material = PEERS[name], task.material
    if cold:
        material.forget(task.num_images)
    log = task.output.with_suffix(".log")
    seen = watch(peer.command(task), log, environment(), ROOT)
    told: dict[str, Any] = peer.told(task.output)
    apart = farthest(peer.embeddings(task.output), material.right[peer.cut])
    shutil.rmtree(task.output)
    turn = Turn(
        peer=name,
        cut=peer.cut,
        precision=task.precision if peer.chooses else "fp32",
        arch=material.arch,
        kind=kind,
        num_images=task.num_images,
        cold=cold,
        apart=apart,
        told=told,
        **vars(seen),
    )
    print(turn, flush=True)
    return turn


if __name__ == "__main__":
    main()
