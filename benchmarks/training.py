"""Images a second in training, against a plain PyTorch loop on the same cores.

    python benchmarks/training.py [--num-images 600] [--epochs 2 6] [--rounds 3]

The same images, recipe of pixels, network and batch size. Of ours an epoch counts that is neither
first nor last, by the difference between two trainings of different length; it validates 2 % of
the images and keeps a checkpoint. The plain loop is PyTorch's DataLoader with the same decoding in
its workers (without a process apart, or a bound on time), by the fastest of a few divisions of the
cores; the mean of its second and third epochs counts, which do not validate. Both take turns; of
all rounds, medians count.
"""

from __future__ import annotations

import argparse
import io
import os
import tempfile
import time
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import ray
import torch
from torch.utils.data import DataLoader, Dataset

from ufd_ray.baselines import Baseline, baseline_named
from ufd_ray.demo.pictures import training_pictures, write_manifest
from ufd_ray.images import ByRecipe, decode, make_by_recipe, view_key
from ufd_ray.pipeline.train_baseline import train_baseline
from ufd_ray.pipeline.training.optimizing import make_optimizer
from ufd_ray.settings import TrainBaselineSettings

NAME, ARCH = "resnet50-blur-jpeg-0.5", "timm/test_resnet"


class Plain(Dataset):  # type: ignore[type-arg]
    """Files as PyTorch reads them."""

    def __init__(self, files: list[tuple[Path, int]], baseline: Baseline) -> None:
        self.files, self.baseline = files, baseline

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, number: int) -> tuple[torch.Tensor, int]:
        path, label = self.files[number]
        image = decode(path.read_bytes(), max_pixels=10**8)
        key = view_key(f"{number:064x}", 0)
        pixels = make_by_recipe(image, ByRecipe(self.baseline.train_pixels, key, 1))
        return torch.from_numpy(np.ascontiguousarray(pixels)), label


def plain_epoch_s(
    files: list[tuple[Path, int]], baseline: Baseline, num_readers: int, num_threads: int
) -> float:
    """Seconds of an epoch: the mean of the second and the third."""
    torch.set_num_threads(num_threads)
    torch.manual_seed(0)
    network = baseline.build().train()
    optimizer = make_optimizer(baseline.recipe, network)
    loader = DataLoader(
        Plain(files, baseline),
        batch_size=baseline.recipe.batch_size,
        shuffle=True,
        num_workers=num_readers,
        persistent_workers=True,
    )
    seconds = []
    for _ in range(3):
        begun = time.perf_counter()
        for pixels, labels in loader:
            optimizer.zero_grad()
            baseline.losses(network(baseline.inputs(pixels)), labels).mean().backward()
            optimizer.step()
        seconds.append(time.perf_counter() - begun)
    return sum(seconds[1:]) / 2


def our_s(manifest: Path, folder: Path, epochs: int) -> float:
    """Seconds of a whole job."""
    settings = TrainBaselineSettings.model_validate(
        {
            "baseline": NAME,
            "arch": ARCH,
            "weights": "random:1",
            "input": [str(manifest)],
            "output": str(folder),
            "epochs": epochs,
        }
    )
    begun = time.perf_counter()
    with redirect_stdout(io.StringIO()):
        train_baseline(settings)
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--num-images", type=int, default=600)
    parser.add_argument("--epochs", type=int, nargs=2, default=[2, 6])
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    baseline = baseline_named(NAME, ARCH)
    cores = os.cpu_count() or 1
    divisions = [(1, cores), (cores, cores), (cores, 1)]
    with tempfile.TemporaryDirectory(prefix="ufd-ray-training-") as name:
        root = Path(name)
        drawn = training_pictures(root / "images", given.num_images // 2, seed=0)
        found = [replace(one, split="train" if n % 50 else "val") for n, one in enumerate(drawn)]
        write_manifest(root / "images.csv", found)
        files = [(one.path, one.label or 0) for one in found if one.split == "train"]
        plain: dict[tuple[int, int], list[float]] = {one: [] for one in divisions}
        ours: list[float] = []
        our_s(root / "images.csv", root / "warm", 1)  # Ray starts, which later trainings find
        for turn in range(given.rounds):
            for one in divisions:
                plain[one].append(plain_epoch_s(files, baseline, *one))
            short, long = (
                our_s(root / "images.csv", root / f"out-{turn}-{n}", n) for n in given.epochs
            )
            ours.append((long - short) / (given.epochs[1] - given.epochs[0]))
            told(plain, ours, len(files))
    ray.shutdown()


def told(plain: dict[Any, list[float]], ours: list[float], num: int) -> None:
    """Print where the rounds stand."""
    for (readers, threads), seconds in plain.items():
        print(f"plain, {readers} readers, {threads} threads: {num / median(seconds):.1f} images/s")
    best = min(median(seconds) for seconds in plain.values())
    print(
        f"ours: {num / median(ours):.1f} images/s, {best / median(ours):.2f} of plain", flush=True
    )


if __name__ == "__main__":
    main()
