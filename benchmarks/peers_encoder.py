"""What the peers of `peers.py` that are written here have in common. Knows nothing of ours."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import open_clip
import torch
from PIL import Image
from torch import Tensor

SIZE = 224
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def arguments(described: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=described)
    parser.add_argument("--images", type=Path, required=True, help="folder of JPEGs")
    parser.add_argument("--output", type=Path, required=True, help="folder for the embeddings")
    parser.add_argument("--arch", required=True)
    parser.add_argument("--weights", type=Path, required=True, help="open_clip checkpoint")
    parser.add_argument("--precision", choices=DTYPES, default="fp32")
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--num-workers", type=int, default=len(os.sched_getaffinity(0)))
    asked = parser.parse_args()
    asked.output.mkdir(parents=True)
    return asked


class OpenClip:
    """An open_clip model's image side, as open_clip itself loads it.

    Args:
        arch: its name of the architecture.
        weights: checkpoint.
        precision: a key of `DTYPES`.
    """

    def __init__(self, arch: str, weights: Path, precision: str = "fp32") -> None:
        model = open_clip.create_model(arch, pretrained=str(weights))
        self._dtype = DTYPES[precision]
        self._model = model.eval().to(self._dtype)
        config = open_clip.get_model_preprocess_cfg(model)
        self._mean = torch.tensor(config["mean"]).view(3, 1, 1)
        self._std = torch.tensor(config["std"]).view(3, 1, 1)

    @torch.no_grad()
    def __call__(self, pixels: Tensor) -> Tensor:
        """uint8 (n, 224, 224, 3) → float32 (n, dim)."""
        values = pixels.permute(0, 3, 1, 2).float() / 255
        normalised = (values - self._mean) / self._std
        features: Tensor = self._model.encode_image(normalised.to(self._dtype))
        return features.float()


def centre_crop(image: Image.Image) -> Image.Image:
    """224 pixels a side, out of the middle, without a change of size."""
    left, top = (image.width - SIZE) // 2, (image.height - SIZE) // 2
    return image.convert("RGB").crop((left, top, left + SIZE, top + SIZE))
