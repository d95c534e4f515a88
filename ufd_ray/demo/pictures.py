"""Small labelled collections: crops of two photographs, as they are and resampled ("generated").

What the paper's generators leave behind is, to a large part, the trace of how they resample. These
leave nothing else, so they show the method's path and its manner of failing, not its quality.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter
from sklearn.datasets import load_sample_image

from ufd_ray.schema import FAKE, REAL

SIDE = 256
PHOTOGRAPHS = ("china", "flower")
TRAINED_ON = "bilinear x2"
_VAL_EVERY = 8


def _resample(factor: float, method: Image.Resampling) -> Callable[[Image.Image], Image.Image]:
    small = round(SIDE / factor)
    return lambda crop: crop.resize((small, small), method).resize((SIDE, SIDE), method)


def _rank_40(crop: Image.Image) -> Image.Image:
    channels = np.moveaxis(np.asarray(crop, np.float64), 2, 0)
    u, s, v = np.linalg.svd(channels, full_matrices=False)
    flat = (u[:, :, :40] * s[:, None, :40]) @ v[:, :40]
    return Image.fromarray(np.moveaxis(flat.round().clip(0, 255), 0, 2).astype(np.uint8))


GENERATORS: dict[str, Callable[[Image.Image], Image.Image]] = {
    TRAINED_ON: _resample(2, Image.Resampling.BILINEAR),
    "nearest x2": _resample(2, Image.Resampling.NEAREST),
    "bicubic x1.5": _resample(1.5, Image.Resampling.BICUBIC),
    "rank-40 SVD": _rank_40,
    "median 3x3": lambda crop: crop.filter(ImageFilter.MedianFilter(3)),
}
"""Shrink and enlarge, or smooth: each keeps what is seen and changes how neighbours go together."""


@dataclass(frozen=True)
class Picture:
    """One file of a collection.

    Attributes:
        path: absolute.
        label: 0 real, 1 fake; None for what is no image.
        source: where it came from.
        split: `train` or `val`; None: for the bank to draw.
    """

    path: Path
    label: int | None = None
    source: str | None = None
    split: str | None = None


def draw_crops(seed: Sequence[int], count: int) -> list[Image.Image]:
    """Crops of the photographs, from one as from the other, `SIDE` pixels a side."""
    rng = np.random.default_rng(seed)
    # What is to be seen in them repeats, and in both classes alike: it cannot tell them apart.
    photographs = [load_sample_image(f"{name}.jpg") for name in PHOTOGRAPHS]
    crops = []
    for number in range(count):
        photograph = photographs[number % len(photographs)]
        height, width, _ = photograph.shape
        x = rng.integers(0, width - SIDE, endpoint=True)
        y = rng.integers(0, height - SIDE, endpoint=True)
        crops.append(Image.fromarray(photograph[y : y + SIDE, x : x + SIDE]))
    return crops


def training_pictures(folder: Path, num_crops: int, seed: int) -> list[Picture]:
    """Real crops, and the same crops through the generator trained on."""
    crops = draw_crops([seed, 0], num_crops)
    found = _save_all(folder / "real", REAL, "photograph", crops)
    found += _save_all(folder / "fake", FAKE, TRAINED_ON, map(GENERATORS[TRAINED_ON], crops))
    # By number: the same figures wherever the folder lies.
    return [
        replace(picture, split="val" if number % _VAL_EVERY == 0 else "train")
        for number, picture in enumerate(found)
    ]


def crawl_pictures(folder: Path, num_crops: int, seed: int) -> list[Picture]:
    """A crawl: other real crops, the same crops through every generator, and broken files."""
    crops = draw_crops([seed, 1], num_crops)
    found = _save_all(folder / "photograph", REAL, "photograph", crops)
    for number, (name, generate) in enumerate(GENERATORS.items()):
        fakes = map(generate, crops)
        found += _save_all(folder / f"generator-{number}", FAKE, name, fakes)
    return found + _broken(folder / "broken", found[0].path.read_bytes())


def write_manifest(path: Path, pictures: Sequence[Picture]) -> None:
    """Write a collection as a CSV manifest: `uri`, `label`, `source`, `split` if any has one."""
    names = ["label", "source"] + ["split"] * any(picture.split for picture in pictures)
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["uri", *names])
        rows.writerows([p.path, *(getattr(p, name) for name in names)] for p in pictures)


def _save_all(
    folder: Path, label: int, source: str, images: Iterable[Image.Image]
) -> list[Picture]:
    folder.mkdir(parents=True)
    pictures = []
    for number, image in enumerate(images):
        # PNG for both classes: no compression that would tell them apart by itself.
        path = folder / f"{number:04d}.png"
        image.save(path, compress_level=1)
        pictures.append(Picture(path.absolute(), label, source))
    return pictures


def _broken(folder: Path, whole: bytes) -> list[Picture]:
    folder.mkdir()
    (folder / "empty.png").write_bytes(b"")
    (folder / "page.jpg").write_text("<html>404 Not Found</html>")
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "garbled.png").write_bytes(whole[:500] + bytes(500) + whole[1000:])
    names = ("empty.png", "page.jpg", "cut.png", "garbled.png", "gone.png")
    return [Picture((folder / name).absolute()) for name in names]
