"""What chance decides about a view of an image: drawn here, applied in `views`.

The paper's training transform, and the one under which its recipe validates. The draws are the
bits of a SHA-256, so that they are the same on every machine and under every version of NumPy.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import Literal

Split = Literal["train", "val"]

SHARE = 0.5
"""Of blurred, of compressed and of flipped views."""
MAX_SIGMA = 3.0
"""Standard deviations of the blur lie between 0 and this, pixels."""
QUALITIES = range(30, 101)
"""JPEG qualities, all equally likely."""
VAL_SIGMA = 1.5
VAL_QUALITY = 65

_WORDS = struct.Struct(">8I")


@dataclass(frozen=True)
class ViewDraws:
    """What is done to an image to make one view of it.

    Attributes:
        sigma: standard deviation of the blur, pixels; None: not blurred.
        quality: of the JPEG that it is compressed to and read from again; None: it is not.
        place: where the crop lies, as shares of all places there are from the left and from the
            top, each 0 ≤ share < 1; None: in the centre.
        is_flipped: left and right change places.
    """

    sigma: float | None
    quality: int | None
    place: tuple[float, float] | None
    is_flipped: bool


@dataclass(frozen=True)
class Chances:
    """What is left to chance, and how often it strikes.

    Attributes:
        perturbed: share that is blurred, and that of those compressed, each by its own coin, 0–1.
        fixed: strengths are those of the validation transform instead of drawn.
        placed: the crop lies anywhere instead of in the centre.
        flipped: share whose left and right change places, 0–1.
    """

    perturbed: float
    fixed: bool
    placed: bool
    flipped: float


OF_SPLIT: dict[Split, Chances] = {
    "train": Chances(SHARE, fixed=False, placed=True, flipped=SHARE),
    "val": Chances(SHARE, fixed=True, placed=False, flipped=0.0),
}


def view_key(content_hash: str, seed: int) -> bytes:
    """What the draws of an image's views depend on, 32 bytes: its bytes and the seed alone.

    Args:
        content_hash: SHA-256 of its bytes, hex.
        seed: at least 0, less than 2⁶³.
    """
    return hashlib.sha256(bytes.fromhex(content_hash) + struct.pack(">Q", seed)).digest()


def draw_view(key: bytes, number: int, split: Split) -> ViewDraws:
    """Draw for one view by the transform of a split; the rest as for `draw`.

    Args:
        key: from `view_key`.
        number: of the view, from 1 on.
        split: `train`; or `val`, where strengths and place are fixed and two coins remain.
    """
    return draw(key, number, OF_SPLIT[split])


def draw(key: bytes, number: int, chances: Chances) -> ViewDraws:
    """Draw for one picture.

    All is drawn for every one in the same order, whether it is used or not. Between OpenCV's
    and Pillow's JPEG, which the released code takes by turns, nothing is drawn: the two write the
    same bytes.

    Args:
        key: from `view_key`.
        number: of the draw, 1 … 65,535.
        chances: what is left to chance.
    """
    digest = hashlib.sha256(key + struct.pack(">H", number)).digest()
    blurred, sigma, compressed, quality, left, top, flipped, _ = (
        word / 2**32 for word in _WORDS.unpack(digest)
    )
    # 1 - share: over 0, since a blur by nothing is none.
    strength = VAL_SIGMA if chances.fixed else MAX_SIGMA * (1 - sigma)
    saved_at = VAL_QUALITY if chances.fixed else QUALITIES[int(quality * len(QUALITIES))]
    return ViewDraws(
        strength if blurred < chances.perturbed else None,
        saved_at if compressed < chances.perturbed else None,
        place=(left, top) if chances.placed else None,
        is_flipped=flipped < chances.flipped,
    )
