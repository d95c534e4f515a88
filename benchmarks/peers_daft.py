"""The same work as one Daft query: files, crops, a class that embeds, Parquet. For `peers.py`."""

from __future__ import annotations

import io
from pathlib import Path

import daft
import numpy as np
import open_clip
import torch
from daft import DataType, Series
from daft.functions import download
from peers_encoder import SIZE, OpenClip, arguments, centre_crop
from PIL import Image


@daft.func(return_dtype=DataType.binary())
def crop(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data)) as image:
        return centre_crop(image).tobytes()


def main() -> None:
    asked = arguments(__doc__)
    dim = open_clip.get_model_config(asked.arch)["embed_dim"]
    embedding = DataType.embedding(DataType.float32(), dim)

    @daft.cls(max_concurrency=1, use_process=False)
    class Embedder:
        def __init__(self, arch: str, weights: str, precision: str) -> None:
            self.model = OpenClip(arch, Path(weights), precision)

        @daft.method.batch(return_dtype=embedding, batch_size=asked.batch_size)
        def embed(self, pixels: Series) -> list[np.ndarray]:
            found = pixels.to_pylist()
            if not found:
                return []
            together = np.frombuffer(b"".join(found), np.uint8).reshape(-1, SIZE, SIZE, 3)
            return list(self.model(torch.from_numpy(together.copy())).numpy())

    embedder = Embedder(asked.arch, str(asked.weights), asked.precision)
    rows = daft.from_glob_path(f"{asked.images}/*.jpg").select("path")
    rows = rows.with_column("pixels", crop(download(rows["path"])))
    rows = rows.select("path", embedder.embed(rows["pixels"]).alias("embedding"))
    rows.write_parquet(str(asked.output))


if __name__ == "__main__":
    main()
