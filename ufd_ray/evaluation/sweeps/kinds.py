"""Which sweeps there are, and what tables and figures say of each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A sweep.

    Attributes:
        title: heading of its section and figure.
        axis: what is varied, with its unit.
        about: what has to be known to read it.
        is_scale: its settings are more and less of something, and not one beside another.
    """

    title: str
    axis: str
    about: str
    is_scale: bool = True


KINDS: dict[str, Kind] = {
    "jpeg": Kind(
        "Robustness to JPEG compression",
        "JPEG quality",
        "All test images, real and fake, are compressed to a JPEG of this quality and decoded"
        " again, whole, before the encoder's own preprocessing.",
    ),
    "blur": Kind(
        "Robustness to Gaussian blur",
        "standard deviation of the blur, pixels",
        "All test images, real and fake, are blurred, whole, before the encoder's own"
        " preprocessing.",
    ),
    "preprocess": Kind(
        "Crop against resize",
        "preprocessing of the test images",
        "**Features of two preprocessings are compared here, which nothing else does:** bank and"
        " probe were made with one alone, and test images by the other are held against them. It"
        " says what a mix-up costs, not what a bank made with the other one would reach.",
        is_scale=False,
    ),
    "train_size": Kind(
        "Size of the training set",
        "training images, half of them real",
        "Nested draws of the bank's training images; neighbours are searched in each, and a probe"
        " is fitted on each (recipe `logistic`). Nothing is encoded anew.",
    ),
    "bank": Kind(
        "Banks side by side",
        "bank",
        "The same test images by other banks: their neighbours, and a probe fitted on each (recipe"
        " `logistic`). `own` is this evaluation's bank, with the probe that it was given.",
        is_scale=False,
    ),
}
"""By name, in the order of their sections."""
