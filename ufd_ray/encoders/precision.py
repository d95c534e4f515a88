"""What half precision costs: how far an embedding may lie from the same one in fp32.

The whole network is cast. Each of its steps then keeps 8 (bf16) or 11 (fp16) bits, and what is lost
adds up along its depth. The bounds are relative: length of the difference over length of the
embedding in fp32, the largest of all images. Tests hold each family to them on small siblings with
random weights, EfficientNet-Lite0 on its real ones; trained weights of the others have not been
measured.
"""

from __future__ import annotations

import re
from typing import Literal

from ufd_ray.encoders.known import LITE0_NAME
from ufd_ray.encoders.spec import EncoderSpec

Family = Literal["transformer", "resnet", "lite0"]

BOUNDS: dict[Family, dict[Literal["fp16", "bf16"], float]] = {
    "transformer": {"fp16": 0.005, "bf16": 0.03},
    "resnet": {"fp16": 0.005, "bf16": 0.03},
    # Its activations have outliers, and its depthwise sums are short. With a probe on the demo's
    # images 2 to 3 % of the verdicts at 0.5 flip in bf16.
    "lite0": {"fp16": 0.05, "bf16": 0.35},
}
TOO_MUCH = 0.05
"""Relative error beyond which `--precision auto` does without bf16."""

_FAMILIES: dict[Family, re.Pattern[str]] = {
    "transformer": re.compile(r"ViT-|PE-Core-|vit_"),
    "resnet": re.compile(r"RN\d|resnet\d"),
    "lite0": re.compile(LITE0_NAME),
}


def family_of(spec: EncoderSpec) -> Family | None:
    """The family whose bounds hold for an encoder; None: it belongs to none that was measured."""
    for family, name in _FAMILIES.items():
        if name.match(spec.name):
            return family
    return None


def objection_to_bf16(spec: EncoderSpec) -> str | None:
    """Why bf16 is not taken without being asked for; None: nothing speaks against it."""
    family = family_of(spec)
    if family is None:
        return "what bf16 costs this architecture has not been measured"
    bound = BOUNDS[family]["bf16"]
    return f"bf16 moves its embeddings by up to {bound:.0%}" if bound > TOO_MUCH else None
