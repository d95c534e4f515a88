"""A plain loop in the manner of research code: a DataLoader, a model, one array. For `peers.py`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from peers_encoder import OpenClip, arguments, centre_crop
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset


class Images(Dataset[Tensor]):
    def __init__(self, paths: list[Path]) -> None:
        self._paths = paths

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, number: int) -> Tensor:
        with Image.open(self._paths[number]) as image:
            return torch.from_numpy(np.array(centre_crop(image)))


def main() -> None:
    asked = arguments(__doc__)
    paths = sorted(asked.images.iterdir())
    model = OpenClip(asked.arch, asked.weights, asked.precision)
    batches = DataLoader(Images(paths), batch_size=asked.batch_size, num_workers=asked.num_workers)
    embeddings = [model(pixels).numpy() for pixels in batches]
    np.save(asked.output / "embeddings.npy", np.concatenate(embeddings))
    (asked.output / "names.txt").write_text("\n".join(path.name for path in paths))


if __name__ == "__main__":
    main()
