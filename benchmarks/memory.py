"""Peak memory of every process of a run, as a function of its images.

    python benchmarks/memory.py --images 1000 20000

The encoder is `identity:random:0`, which costs nothing: so images pass as fast as everything else
allows. Each size is a run of its own, in a fresh Ray, over links to some made JPEGs, against a bank
of 40. Memory is what a process holds beside files and shared memory (Linux's RssAnon): pages of the
store that all share are no part of it, whoever has touched them, but are told apart. The largest of
each kind of process counts, looked at twice a second.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

ROOT = Path(__file__).parents[1]
EVERY_S = 0.5
KINDS = {
    r"jobs/score\.py": "driver",
    r"ray::.*EncodeImages": "encoder",
    r"ray::.*DetectGenerated": "detector",
    r"ray::.*(fetch|decode|Read)": "reader",
    r"ufd_ray\.images\.child": "decoding process",
    r"ray::.*Write": "writer",
    r"ray::Tally": "tally",
    r"ray::": "other workers",
    r"raylet": "raylet",
    r"gcs_server": "gcs",
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, nargs="+", default=[1000, 20_000])
    parser.add_argument(
        "--rows-per-file", type=int, default=100_000, help="published, which the driver holds"
    )
    parser.add_argument("--side", type=int, default=256, help="of an image, pixels")
    given = parser.parse_args()
    print(f"{os.cpu_count()} CPUs; JPEGs of {given.side} pixels; MiB", flush=True)
    found: dict[int, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="ufd-ray-memory-") as name:
        folder = Path(name)
        files = make_images(folder / "made", given.side)
        bank = build_bank(folder, files)
        for num_images in given.images:
            links = link_images(folder / f"images-{num_images}", files, num_images)
            begun = time.perf_counter()
            found[num_images] = score(links, bank, folder / "runs", given.rows_per_file)
            took = time.perf_counter() - begun
            print(f"{num_images:,} images: {took:.0f} s", flush=True)
    print("\n| process | " + " | ".join(f"{num:,} images" for num in found) + " |")
    print("|---|" + "---:|" * len(found))
    for kind in dict.fromkeys(kind for peaks in found.values() for kind in peaks):
        cells = " | ".join(f"{peaks.get(kind, 0):.0f}" for peaks in found.values())
        print(f"| {kind} | {cells} |")


def make_images(folder: Path, side: int) -> list[Path]:
    """100 JPEGs of different bytes."""
    folder.mkdir()
    numbers = np.random.default_rng(0)
    files = []
    for place in range(100):
        coarse = Image.fromarray(numbers.integers(0, 256, (16, 16, 3), np.uint8))
        file = folder / f"{place}.jpg"
        content = io.BytesIO()
        coarse.resize((side, side), Image.Resampling.BICUBIC).save(content, "JPEG", quality=90)
        file.write_bytes(content.getvalue())
        files.append(file)
    return files


def link_images(folder: Path, files: list[Path], num_images: int) -> Path:
    folder.mkdir()
    for place in range(num_images):
        os.link(files[place % len(files)], folder / f"{place:06}.jpg")
    return folder


def build_bank(folder: Path, files: list[Path]) -> Path:
    for label in ("0_real", "1_fake"):
        (folder / "labelled" / label).mkdir(parents=True)
    for place, file in enumerate(files[:40]):
        os.link(file, folder / "labelled" / ("0_real", "1_fake")[place % 2] / file.name)
    bank = folder / "bank"
    job(
        "build_bank",
        "--input",
        folder / "labelled",
        "--encoder",
        "identity:random:0",
        "--output",
        bank,
    )
    return bank


def score(images: Path, bank: Path, runs: Path, rows_per_file: int) -> dict[str, float]:
    flags = ["--input", images, "--bank", bank, "--rows-per-file", str(rows_per_file)]
    with watched() as peaks:
        job("score", *flags, "--output", runs)
    return dict(peaks)


def job(name: str, *flags: str | Path) -> None:
    command = [sys.executable, ROOT / "jobs" / f"{name}.py", *flags]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if said.returncode:
        raise SystemExit(f"{name} failed:\n{said.stdout}{said.stderr}")


@contextmanager
def watched() -> Iterator[dict[str, float]]:
    """Peaks of all processes below this one, MiB, by kind, while the block runs."""
    peaks: defaultdict[str, float] = defaultdict(float)
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(EVERY_S):
            shared = 0.0
            for process in psutil.Process().children(recursive=True):
                try:
                    words = " ".join(process.cmdline())
                    memory = process.memory_info()
                except psutil.Error:  # gone meanwhile
                    continue
                shared = max(shared, memory.shared / 2**20)
                kind = next((kind for word, kind in KINDS.items() if re.search(word, words)), None)
                if kind:
                    peaks[kind] = max(peaks[kind], (memory.rss - memory.shared) / 2**20)
            peaks["shared memory seen by one process"] = max(
                peaks["shared memory seen by one process"], shared
            )

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peaks
    finally:
        ended.set()
        thread.join()


if __name__ == "__main__":
    main()
