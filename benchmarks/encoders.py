"""What an image costs each encoder, and what half precision changes.

    python benchmarks/encoders.py --num-images 4
    python benchmarks/encoders.py clip-vit-l14 lite0 --num-images 16

Every short name at its own input size on this machine's CPU, in fp32 and in bf16, each in a process
of its own. Weights are random but for lite0's: they decide neither time nor memory. The images are
crops of two photographs. Then lite0's verdicts: a probe fitted in fp32 on the demo's images, and
the demo's other images scored in both precisions.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ufd_ray.cpu import fast_bf16
from ufd_ray.demo.pictures import crawl_pictures, training_pictures
from ufd_ray.detectors import fit_logistic
from ufd_ray.encoders import SHORT_NAMES, Encoder, EncoderSpec
from ufd_ray.images import decode, to_pixels
from ufd_ray.settings import Precision

Floats = NDArray[np.float32]
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("encoders", nargs="*", default=list(SHORT_NAMES), help="short names")
    parser.add_argument("--num-images", type=int, default=4, help="images in a batch")
    parser.add_argument("--rounds", type=int, default=3, help="batches that are timed")
    parser.add_argument("--num-crops", type=int, default=50, help="crops in lite0's verdicts")
    parser.add_argument("--measure", choices=PRECISIONS, help=argparse.SUPPRESS)
    parser.add_argument("--result", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        measure(asked.encoders[0], asked.measure, asked.num_images, asked.rounds, asked.result)
        return
    print(f"{len(os.sched_getaffinity(0))} cores, fast in bf16 by {fast_bf16() or 'nothing'}\n")
    print(
        "| encoder | size | parameters | fp32 ms | bf16 ms | fp32 GB | bf16 GB |"
        " relative error | 1 − cosine |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for name in asked.encoders:
        print(row(name, asked.num_images, asked.rounds), flush=True)
    print()
    print(verdicts(asked.num_crops))


def spec_of(name: str) -> EncoderSpec:
    spec = EncoderSpec.parse(name)
    return spec if name == "lite0" else EncoderSpec(spec.arch, "random:0")


def photographs(num_images: int, size: int) -> NDArray[np.uint8]:
    """uint8 (n, size, size, 3)."""
    with tempfile.TemporaryDirectory() as folder:
        found = training_pictures(Path(folder, "crops"), num_images, seed=0)[:num_images]
        images = [Image.open(picture.path).resize((size, size)) for picture in found]
        return np.stack([np.asarray(image) for image in images])


def measure(name: str, precision: Precision, num_images: int, rounds: int, result: Path) -> None:
    """Encode in this process, and leave embeddings and figures at `result`."""
    encoder = Encoder.load(spec_of(name), precision=precision)
    pixels = photographs(num_images, encoder.input_size)
    embeddings = encoder.encode(pixels)
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        encoder.encode(pixels)
        times.append((time.perf_counter() - begun) / num_images)
    figures = {
        "ms": 1e3 * statistics.median(times),
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "size": encoder.input_size,
        "parameters": sum(parameter.numel() for parameter in encoder.parameters()),
    }
    result.with_suffix(".json").write_text(json.dumps(figures))
    np.save(result, embeddings)


def row(name: str, num_images: int, rounds: int) -> str:
    """One line of the table."""
    figures: dict[str, dict[str, Any]] = {}
    embeddings: dict[str, Floats] = {}
    with tempfile.TemporaryDirectory() as folder:
        for precision in PRECISIONS:
            result = Path(folder, f"{precision}.npy")
            flags = ["--measure", precision, "--result", str(result)]
            flags += ["--num-images", str(num_images), "--rounds", str(rounds)]
            subprocess.run([sys.executable, __file__, name, *flags], check=True)
            figures[precision] = json.loads(result.with_suffix(".json").read_text())
            embeddings[precision] = np.load(result)
    exact, rough = embeddings["fp32"].astype(float), embeddings["bf16"].astype(float)
    lengths = np.linalg.norm(exact, axis=1)
    error = (np.linalg.norm(rough - exact, axis=1) / lengths).max()
    cosines = (rough * exact).sum(axis=1) / lengths / np.linalg.norm(rough, axis=1)
    fp32, bf16 = figures["fp32"], figures["bf16"]
    return (
        f"| {name} | {fp32['size']} | {fp32['parameters'] / 1e6:.0f} M | {fp32['ms']:.0f} |"
        f" {bf16['ms']:.0f} | {fp32['peak_gb']:.1f} | {bf16['peak_gb']:.1f} | {error:.4f} |"
        f" {(1 - cosines).max():.1e} |"
    )


def verdicts(num_crops: int) -> str:
    """How many of lite0's verdicts at 0.5 another precision turns, and where they lie."""
    with tempfile.TemporaryDirectory() as folder:
        training = training_pictures(Path(folder, "training"), num_crops, seed=0)
        crawl = crawl_pictures(Path(folder, "crawl"), num_crops, seed=0)
        crawl = [picture for picture in crawl if picture.label is not None]
        pixels = [
            np.stack(
                [
                    to_pixels(decode(p.path.read_bytes(), max_pixels=10**8), mode="crop", size=224)
                    for p in pictures
                ]
            )
            for pictures in (training, crawl)
        ]
    labels = np.array([picture.label for picture in training], np.int8)
    embeddings = {
        precision: [_encode(precision, one) for one in pixels] for precision in PRECISIONS
    }
    probe = fit_logistic(embeddings["fp32"][0], labels).probe
    logits = {name: probe.logits(found[1]) for name, found in embeddings.items()}
    flipped = (logits["fp32"] > 0) != (logits["bf16"] > 0)
    distances = np.abs(logits["fp32"])
    farthest = f", the farthest {distances[flipped].max():.2f}" if flipped.any() else ""
    return (
        f"lite0, its real weights: {flipped.sum()} of {len(flipped)} verdicts at 0.5 flip in bf16;"
        f" as logits in fp32 they lie {distances[flipped].mean() if flipped.any() else 0:.2f} from"
        f" the threshold on average{farthest} (median of all: {np.median(distances):.2f})"
    )


def _encode(precision: Precision, pixels: NDArray[np.uint8]) -> Floats:
    encoder = Encoder.load(EncoderSpec.parse("lite0"), precision=precision)
    return np.concatenate([encoder.encode(pixels[i : i + 32]) for i in range(0, len(pixels), 32)])


if __name__ == "__main__":
    main()
