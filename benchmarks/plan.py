"""What `jobs/plan.py` predicts, beside what `jobs/score.py` then takes.

    python benchmarks/plan.py
    python benchmarks/plan.py --num-images 2000 --encoders lite0 --num-encoders 1

Made photographs of many sizes, a bank of random embeddings and a probe of equal weights: what is
scored means nothing, and takes what it always takes. Plan and run are processes of their own, by
turns, on a Ray that the run starts. The last column is what a plan is judged by: 1 is right.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from decode_isolation import picture

from ufd_ray.encoders import Encoder, EncoderSpec

sys.path.append(str(Path(__file__).parents[1]))  # banks and probes are made as the tests make them
from tests.crawl.handmade import make_bank, make_probe

JOBS = Path(__file__).parents[1] / "jobs"
SHORTEST, LONGEST = 320, 1600
"""Sides of the photographs, pixels."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--num-images", type=int, default=1000)
    parser.add_argument("--num-in-bank", type=int, default=20_000)
    parser.add_argument("--sample", type=int, default=300, help="images that a plan measures")
    parser.add_argument("--encoders", nargs="+", default=["lite0", "ViT-B-32-quickgelu:random:0"])
    parser.add_argument("--num-encoders", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=1, help="plans and runs of each")
    asked = parser.parse_args()

    images = f"{asked.num_images:,} images, {asked.num_in_bank:,} in the bank"
    print(f"{os.cpu_count()} CPUs, {images}\n")
    print("| encoder | encoders | core-ms an image | start-up | predicted | took | ratio |")
    print("|---|---:|---|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory(prefix="ufd-ray-plan-") as folder:
        place = Path(folder)
        take_photographs(place / "images", asked.num_images)
        for name in asked.encoders:
            identity = Encoder.load(EncoderSpec.parse(name)).identity
            models = place / identity.encoder_id
            make_bank(models / "bank", identity, asked.num_in_bank)
            make_probe(models / "probe", identity)
            for number in asked.num_encoders * asked.rounds:
                print(row(place, models, name, number, asked.sample), flush=True)


def row(place: Path, models: Path, name: str, num_encoders: int, sample: int) -> str:
    """One plan and the run that it was for."""
    with tempfile.TemporaryDirectory(dir=place) as out:
        plan = f"{out}/plan.json"
        same = ["--input", str(place / "images"), "--num-encoders", str(num_encoders)]
        same += ["--bank", str(models / "bank"), "--probe", str(models / "probe")]
        job("plan", *same, "--sample", str(sample), "--output", plan)
        job("score", *same, "--output", f"{out}/scores", "--run-id", "a", "--plan", plan)
        planned = json.loads(Path(plan).read_text())
        run = json.loads(Path(out, "scores/runs/a/run.json").read_text())
    stages = planned["measured"]["stages"].items()
    costs = ", ".join(f"{stage} {1000 * cost['core_s']:.2f}" for stage, cost in stages)
    found = run["estimate"]
    return (
        f"| {name} | {num_encoders} | {costs} | {planned['estimate']['startup_s']:.1f} s |"
        f" {found['predicted_s']:.1f} s | {found['actual_s']:.1f} s | {found['ratio']:.2f} |"
    )


def job(name: str, *flags: str) -> None:
    done = subprocess.run(
        [sys.executable, str(JOBS / f"{name}.py"), *flags], capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"{name}: {done.stdout}{done.stderr}")


def take_photographs(folder: Path, number: int) -> None:
    """JPEGs cut from one large picture, each different, in a hundred folders or fewer."""
    whole, places = picture(2400, 1800, seed=0), random.Random(0)
    for index in range(number):
        wide, high = (places.randint(SHORTEST, LONGEST) for _ in range(2))
        left, top = places.randint(0, 2400 - wide), places.randint(0, 1800 - high)
        sink = io.BytesIO()
        whole.crop((left, top, left + wide, top + high)).save(sink, "JPEG", quality=85)
        file = folder / f"{index % 100:02d}" / f"{index:06d}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(sink.getvalue())


if __name__ == "__main__":
    main()
