"""What all peers of `peers.py` are given alike: pictures, weights; and what must come out."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from decode import LARGEST, piece, written
from decode_isolation import picture
from numpy.typing import NDArray

from ufd_ray.encoders import Encoder, EncoderSpec
from ufd_ray.images import decode, to_pixels
from ufd_ray.settings import PreprocessMode
from ufd_ray.storage import ProbeFiles, StorageOptions, write_probe

Floats = NDArray[np.float64]
Embeddings = dict[str, Floats]
"""By the name of the image's file."""

SIDES = {"photographs": (2000, 1500), "web": (1024, 768)}
"""Pixels; as JPEGs about 360 and 95 KB."""
SAMPLE = 32
"""Images whose embeddings are compared."""
MODES: tuple[PreprocessMode, ...] = ("crop", "resize")


@dataclass(frozen=True)
class Material:
    """What a comparison goes by.

    Attributes:
        arch: open_clip's name of the encoder.
        weights: its checkpoint, text side included.
        probes: ours, by the way in which pixels are cut out.
        folders: images, by their number.
        kilobytes: of an image, on average.
        right: embeddings of a sample in fp32, by the way in which pixels are cut out.
    """

    arch: str
    weights: Path
    probes: dict[str, Path]
    folders: dict[int, Path]
    kilobytes: float
    right: dict[str, Embeddings]

    def forget(self, num_images: int) -> None:
        """Have the system drop what it holds of images and weights in memory."""
        for path in (self.weights, *self.folders[num_images].iterdir()):
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def prepare(folder: Path, arch: str, kind: str, numbers: Sequence[int]) -> Material:
    """Make what is not there yet.

    Args:
        folder: where it stays for the next time.
        arch: open_clip's name of the encoder.
        kind: of pictures, a key of `SIDES`.
        numbers: of images; of fewer images each is among those of more.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder = folder.absolute()
    weights = folder / f"{arch}.pt"
    if not weights.exists():
        _make_weights(arch, weights)
    folders = {num: folder / f"{kind}-{num}" for num in numbers}
    _make_pictures(kind, folders)
    files = sorted(folders[max(numbers)].iterdir())
    probes, right = {}, {}
    for mode in MODES:
        encoder = Encoder.load(EncoderSpec(arch, str(weights)), preprocess=mode)
        probes[mode] = folder / f"probe-{arch}-{mode}"
        _make_probe(probes[mode], encoder)
        right[mode] = _encode(encoder, mode, files[:SAMPLE])
    size = sum(path.stat().st_size for path in files) / len(files)
    return Material(arch, weights, probes, folders, size / 1e3, right)


def farthest(found: Embeddings, right: Embeddings) -> float:
    """The largest 1 − cosine of embeddings that ought to be alike, whatever their lengths."""
    names = sorted(right)
    if missing := [name for name in names if name not in found]:
        raise SystemExit(f"{len(missing)} of {len(names)} embeddings are missing: {missing[:3]}")
    ours, theirs = (_unit(np.stack([x[name] for name in names])) for x in (right, found))
    return float(1 - (ours * theirs).sum(axis=1).min())


def _make_weights(arch: str, path: Path) -> None:
    import open_clip

    torch.manual_seed(0)
    model: Any = open_clip.create_model(arch)
    part = path.with_suffix(".part")
    torch.save(model.state_dict(), part)
    part.rename(path)


def _make_pictures(kind: str, folders: dict[int, Path]) -> None:
    if all(folder.exists() and len(os.listdir(folder)) == num for num, folder in folders.items()):
        return
    whole, places = picture(*LARGEST[1:3], seed=0), random.Random(0)
    first: Path | None = None
    for num, folder in sorted(folders.items(), reverse=True):
        folder.mkdir(exist_ok=True)
        for number in range(num):
            name = f"{number:06d}.jpg"
            if first is None:
                image = piece(whole, *SIDES[kind], places)
                (folder / name).write_bytes(written(image, "JPEG", {"quality": 85}))
            elif not (folder / name).exists():
                (folder / name).hardlink_to(first / name)
        first = first or folder


def _make_probe(folder: Path, encoder: Encoder) -> None:
    weight = np.random.default_rng(0).standard_normal(encoder.dim).astype(np.float32)
    probe = ProbeFiles(weight=weight, bias=0.0, encoder=encoder.identity.to_dict())
    write_probe(str(folder), probe, StorageOptions())


def _encode(encoder: Encoder, mode: PreprocessMode, files: Sequence[Path]) -> Embeddings:
    images = (decode(path.read_bytes(), max_pixels=10**8) for path in files)
    pixels = np.stack([to_pixels(image, mode=mode, size=encoder.input_size) for image in images])
    names = [path.name for path in files]
    return dict(zip(names, encoder.encode(pixels).astype(np.float64), strict=True))


def _unit(rows: Floats) -> Floats:
    unit: Floats = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit
