"""What decoding in a process apart costs: the same files decoded here and there, in one run.

    python benchmarks/decode_isolation.py --num-images 200 --rounds 5

Both ways take their turns round by round, and each one's median round is what is printed.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from ufd_ray.images import Decoded, DecodeLimits, Sandbox
from ufd_ray.images.child import decode_file
from ufd_ray.images.wire import Request

SIDES = {"about 20 KB": (400, 300), "about 100 KB": (1024, 768)}
SIZE = 224
FILES_A_BATCH = 32
LIMITS = DecodeLimits()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--num-images", type=int, default=200, help="files of each size")
    parser.add_argument("--rounds", type=int, default=5, help="rounds that each way is measured")
    asked = parser.parse_args()

    print(f"{len(os.sched_getaffinity(0))} cores\n")
    print("| JPEG | KB | here: images/s | µs | CPU µs | apart: images/s | µs | CPU µs |")
    print("|---|---|---|---|---|---|---|---|")
    for name, sides in SIDES.items():
        files = [photograph(*sides, seed=seed) for seed in range(asked.num_images)]
        print(row(name, files, asked.rounds), flush=True)
    starts = [start_s() for _ in range(10)]
    with Sandbox(LIMITS) as sandbox:
        sandbox.decode([photograph(1024, 768, seed=0)], "crop", SIZE)
        resident = sum(map(resident_mb, children()))
    print(f"\nstart of the process: {1e3 * statistics.median(starts):.0f} ms; {resident:.0f} MiB")


def row(name: str, files: list[bytes], rounds: int) -> str:
    """One line of the table."""
    here, apart = [], []
    batches = [files[at : at + FILES_A_BATCH] for at in range(0, len(files), FILES_A_BATCH)]
    with Sandbox(LIMITS) as sandbox:
        sandbox.decode(files[:1], "crop", SIZE)
        for _ in range(rounds):
            here.append(measured(lambda: [decode_here(batch) for batch in batches]))
            apart.append(
                measured(lambda: [sandbox.decode(batch, "crop", SIZE) for batch in batches])
            )
    size = sum(map(len, files)) / len(files) / 1e3
    cells = [
        f"{1 / wall:.0f} | {1e6 * wall:.0f} | {1e6 * cpu:.0f}"
        for wall, cpu in (np.median(way, axis=0) / len(files) for way in (here, apart))
    ]
    return f"| {name} | {size:.0f} | {' | '.join(cells)} |"


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds that it takes, by the clock and of all cores, the decoding process's among them."""
    start, used = time.perf_counter(), cpu_s()
    work()
    return time.perf_counter() - start, cpu_s() - used


def cpu_s() -> float:
    """Seconds that this process and its children have worked."""
    ticks = 0
    for process in children():
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def decode_here(files: Iterable[bytes]) -> list[Decoded]:
    """Decode in this process."""
    return [decode_file(Request(data, "crop", SIZE, LIMITS.max_pixels)) for data in files]


def start_s() -> float:
    """Seconds from nothing to the first answer, for a file that is none."""
    with Sandbox(LIMITS) as sandbox:
        wall, _ = measured(lambda: sandbox.decode([b""], "crop", SIZE))
        return wall


def photograph(width: int, height: int, *, seed: int) -> bytes:
    """Such a picture as a JPEG."""
    sink = io.BytesIO()
    picture(width, height, seed=seed).save(sink, "JPEG", quality=85)
    return sink.getvalue()


def picture(width: int, height: int, *, seed: int) -> Image.Image:
    """What compresses as a photograph does: blurred noise in octaves, and some grain."""
    random = np.random.default_rng(seed)
    pixels = np.zeros((height, width, 3), np.float32)
    for octave in range(2, 9):
        coarse = random.integers(0, 256, (2**octave, 2**octave, 3), dtype=np.uint8)
        smooth = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        pixels += np.asarray(smooth, np.float32) / 2 ** (octave - 1)
    pixels += random.normal(0, 3, (height, width, 1)).astype(np.float32)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def children() -> list[int]:
    """The processes that this one has started."""
    return [int(word) for word in Path("/proc/thread-self/children").read_text().split()]


def resident_mb(process: int) -> float:
    """Its resident memory, MiB."""
    status = Path(f"/proc/{process}/status").read_text()
    (kib,) = re.findall(r"VmRSS:\s+(\d+) kB", status)
    return int(kib) / 1024


if __name__ == "__main__":
    main()
