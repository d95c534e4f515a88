"""The frozen image encoder: pixels in, embeddings out."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ufd_ray.cpu import fast_bf16
from ufd_ray.encoders.build import build_tower
from ufd_ray.encoders.checkpoints import WeightsFile
from ufd_ray.encoders.device import check_precision
from ufd_ray.encoders.digest import weights_digest
from ufd_ray.encoders.identity import EncoderIdentity
from ufd_ray.encoders.lean import make_lean
from ufd_ray.encoders.packed import pack_weights
from ufd_ray.encoders.spec import EncoderSpec
from ufd_ray.encoders.tf32 import without_tf32
from ufd_ray.encoders.tower import Tower
from ufd_ray.errors import SettingsError
from ufd_ray.settings import Precision, PreprocessMode
from ufd_ray.storage import StorageOptions

_DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


class Encoder(nn.Module):
    """An image tower that nothing trains (paper, section 4: it is always kept frozen).

    Attributes:
        identity: who it is.
        precision: what it computes in.
        weights_file: the file that its weights were read from; None: they are random.
    """

    def __init__(
        self,
        tower: Tower,
        identity: EncoderIdentity,
        *,
        device: str,
        precision: Precision,
        weights_file: WeightsFile | None = None,
    ) -> None:
        super().__init__()
        self.identity = identity
        self.weights_file = weights_file
        self.precision = precision
        self._dtype = _DTYPES[precision]
        on_cpu = torch.device(device).type == "cpu"
        if on_cpu or precision != "fp32":
            make_lean(tower.module)
        # The whole network is cast: autocast on CPUs takes five times as long as fp32.
        self._tower = tower.module.to(device=device, dtype=self._dtype).requires_grad_(False)
        if on_cpu and precision == "bf16" and fast_bf16():
            pack_weights(self._tower)
        # Of a row of pixels: the three channels again and again, so that a pass goes along memory.
        self._mean = torch.tensor(tower.mean * tower.input_size, device=device)
        self._std = torch.tensor(tower.std * tower.input_size, device=device)
        self.train(False)

    @classmethod
    def load(
        cls,
        spec: EncoderSpec,
        *,
        preprocess: PreprocessMode = "crop",
        weights_file: str | Path | None = None,
        device: str = "cpu",
        precision: Precision = "fp32",
        storage: StorageOptions | None = None,
    ) -> Self:
        """Build the tower, load its weights, take its identity, freeze it.

        Args:
            spec: which encoder.
            preprocess: how its pixels will have been cut out; part of its identity.
            weights_file: path or URI to read its weights from, whatever the spec says of them.
            device: `cpu`, `cuda` or `cuda:N`.
            precision: what it computes in; embeddings come out as float32 all the same.
            storage: how URIs are reached.

        Raises:
            SettingsError: there is no such encoder, file or device, or they do not go together.
            StorageError: the weights cannot be downloaded or read.
        """
        kind = torch.device(device).type
        if kind == "cuda" and not torch.cuda.is_available():
            raise SettingsError(f"device {device} was asked for, and torch sees no GPU here")
        check_precision(precision, "cuda" if kind == "cuda" else "cpu")
        tower, file = build_tower(spec, weights_file, storage)
        identity = EncoderIdentity(
            arch=tower.arch,
            weights=spec.weights,
            preprocess=preprocess,
            input_size=tower.input_size,
            mean=tower.mean,
            std=tower.std,
            dim=tower.dim,
            weights_digest=weights_digest(tower.module),
        )
        return cls(tower, identity, device=device, precision=precision, weights_file=file)

    @property
    def dim(self) -> int:
        """Numbers in an embedding."""
        return self.identity.dim

    @property
    def input_size(self) -> int:
        """Side of the square of pixels that it takes."""
        return self.identity.input_size

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        return self._mean.device

    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation mode, whatever `mode` says: batch statistics must never move."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, pixels: Tensor) -> Tensor:
        """Embed pixels that are on the encoder's device.

        Args:
            pixels: uint8 (n, input_size, input_size, 3), RGB.

        Returns:
            float32 (n, dim), not normalised.

        Raises:
            SettingsError: it does not give one vector of that length an image.
        """
        values = pixels.reshape(-1, 3 * self.input_size) / 255  # memory of its own, from here on
        normalised = values.sub_(self._mean).div_(self._std).to(self._dtype)
        with self._as_promised():
            features: Tensor = self._tower(normalised.view(pixels.shape).permute(0, 3, 1, 2))
        if features.shape != (len(pixels), self.dim):
            raise SettingsError(
                f"{self.identity.spec} gives {tuple(features.shape)} for {len(pixels)} images;"
                f" expected one vector of {self.dim} an image: choose another architecture"
            )
        return features.float()

    def _as_promised(self) -> AbstractContextManager[None]:
        on_gpu = self.device.type == "cuda"
        return without_tf32() if on_gpu and self.precision == "fp32" else nullcontext()

    def encode(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Embed pixels.

        Args:
            pixels: uint8 (n, input_size, input_size, 3), RGB; n may be 0.

        Returns:
            float32 (n, dim), not normalised. Within 1e-5 relative whatever else is in the batch,
            in fp32.

        Raises:
            ValueError: another shape or dtype.
        """
        self.check_pixels(pixels)
        if len(pixels) == 0:
            return np.zeros((0, self.dim), dtype=np.float32)
        # Ray hands out read-only arrays, of which torch makes no tensor without a warning.
        writable = np.require(pixels, requirements=["C", "W"])
        embeddings: Any = self(torch.from_numpy(writable).to(self.device)).cpu().numpy()
        return np.asarray(embeddings, dtype=np.float32)

    def check_pixels(self, pixels: npt.NDArray[np.uint8]) -> None:
        """Refuse what `encode` does not take.

        Raises:
            ValueError: another shape or dtype.
        """
        size = self.input_size
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1:] != (size, size, 3):
            raise ValueError(
                f"pixels are {pixels.dtype} {pixels.shape}; expected uint8 (n, {size}, {size}, 3)"
            )
