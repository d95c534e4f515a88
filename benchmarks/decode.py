"""How fast images are decoded, and how fast Pillow as it comes would decode them.

    python benchmarks/decode.py --rounds 7
    python benchmarks/decode.py --photographs FOLDER

The same files go through two decoding processes by turns: ours, and that of `decode_whole`. Printed
is the work of all processes for an image, the median of all rounds: images a second and core.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import decode_whole
from decode_isolation import measured, picture
from PIL import Image

from ufd_ray.images import DecodeLimits, Sandbox

SIZES = {"256 px": (256, 256, 600), "1 MP": (1152, 864, 24), "4 MP": (2400, 1800, 8)}
LARGEST = ("12 MP", 4000, 3000, 4)
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "JPEG": ("JPEG", {"quality": 85}),
    "JPEG, progressive": ("JPEG", {"quality": 85, "progressive": True}),
    "PNG": ("PNG", {"compress_level": 6}),
    "WebP": ("WEBP", {"quality": 80, "method": 2}),
}
LIMITS = DecodeLimits()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="rounds that each way is measured")
    parser.add_argument("--size", type=int, default=224, help="side of the centre crop, pixels")
    parser.add_argument(
        "--photographs", type=Path, help="a folder with JPEGs of over 4 megapixels, to take instead"
    )
    parser.add_argument("--mode", choices=("crop", "resize"), default="crop")
    asked = parser.parse_args()

    print(f"{len(os.sched_getaffinity(0))} cores, {asked.mode} to {asked.size} pixels\n")
    print("| files | of | KB | Pillow: images/s | ours: images/s | times | pixels |")
    print("|---|---|---:|---:|---:|---:|---|")
    groups = made() if asked.photographs is None else given(asked.photographs)
    for size, kind, files in groups:
        print(f"| {kind} | {size} | {row(files, asked)} |", flush=True)


def row(files: list[bytes], asked: argparse.Namespace) -> str:
    """The figures of one line."""
    with Sandbox(LIMITS, decode_whole.DECODER) as pillow, Sandbox(LIMITS) as ours:
        ways = (pillow, ours)
        whole, cut = (way.decode(files, asked.mode, asked.size) for way in ways)
        work: list[list[float]] = [[], []]
        for number in range(asked.rounds):
            for at in (0, 1) if number % 2 else (1, 0):
                _, cpu = measured(lambda way=ways[at]: way.decode(files, asked.mode, asked.size))
                work[at].append(cpu / len(files))
    before, after = map(statistics.median, work)
    kilobytes = sum(map(len, files)) / len(files) / 1e3
    pixels = "identical" if whole == cut else "DIFFER"
    rates = f"{1 / before:.1f} | {1 / after:.1f} | {before / after:.2f}"
    return f"{kilobytes:.0f} | {rates} | {pixels}"


def made() -> Iterator[tuple[str, str, list[bytes]]]:
    """Size, kind and files: pieces of one large picture, each size in each format."""
    name, width, height, num_largest = LARGEST
    whole = picture(width, height, seed=0)
    places = random.Random(0)
    pieces = {
        size: [piece(whole, wide, high, places) for _ in range(num)]
        for size, (wide, high, num) in SIZES.items()
    } | {name: [whole] * num_largest}
    for kind, (written_as, options) in KINDS.items():
        for size, images in pieces.items():
            yield size, kind, [written(image, written_as, options) for image in images]


def given(folder: Path) -> Iterator[tuple[str, str, list[bytes]]]:
    """All JPEGs of a folder that are large."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    sides = {path: Image.open(path).size for path in paths}
    large = {path: w * h / 1e6 for path, (w, h) in sides.items() if w * h > 4e6}
    mean = sum(large.values()) / len(large)
    yield f"{len(large)}, {mean:.1f} MP", "photographs", [path.read_bytes() for path in large]


def piece(whole: Image.Image, width: int, height: int, places: random.Random) -> Image.Image:
    """A part of the picture."""
    left = places.randrange(whole.width - width + 1)
    top = places.randrange(whole.height - height + 1)
    return whole.crop((left, top, left + width, top + height))


def written(image: Image.Image, kind: str, options: dict[str, Any]) -> bytes:
    """The picture as a file."""
    sink = io.BytesIO()
    image.save(sink, kind, **options)
    return sink.getvalue()


if __name__ == "__main__":
    main()
