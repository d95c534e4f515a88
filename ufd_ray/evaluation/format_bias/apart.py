"""How well one trait alone tells real images from fakes, and by what."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ufd_ray.evaluation.format_bias.columns import KINDS, MEASURES, Columns
from ufd_ray.images import FORMATS, SAMPLINGS
from ufd_ray.schema import FAKE, REAL

_OF_JPEGS = frozenset(("quality", "tables", "sampling", "is_progressive"))
_FEWEST_JPEGS = 10


@dataclass(frozen=True)
class Apart:
    """One trait in both classes.

    Attributes:
        trait: a name of `KINDS` or `MEASURES`.
        apart: by how much the best single cut, or single value, is more frequent among images of
            one class than of the other: 0 they do not differ, 1 they are wholly unlike.
        words: by what, for a person.
    """

    trait: str
    apart: float
    words: str


def how_far_apart(columns: Columns, labels: NDArray[np.integer]) -> tuple[Apart, ...]:
    """Every trait, the most telling first.

    What JPEGs alone have is compared among JPEGs, and left out where a class has fewer than ten.

    Args:
        columns: (n,) each, from `traits_columns`.
        labels: (n,) integers, 0 real, 1 fake, both there.
    """
    found = []
    is_jpeg = columns["format"] == FORMATS.index("JPEG")
    for name, column in columns.items():
        of_jpegs = name in _OF_JPEGS
        looked_at = is_jpeg if of_jpegs else np.ones(len(labels), bool)
        real, fake = (column[looked_at & (labels == label)] for label in (REAL, FAKE))
        if of_jpegs and min(len(real), len(fake)) < _FEWEST_JPEGS:
            continue
        found.append(_by_value(name, real, fake))
        if name in MEASURES:
            by_cut = _by_cut(name, real, fake)
            # A value that many share says more than a cut beside it.
            if by_cut.apart > found[-1].apart:
                found[-1] = by_cut
    return tuple(sorted(found, key=lambda one: -one.apart))


def _by_value(trait: str, real: NDArray[np.float64], fake: NDArray[np.float64]) -> Apart:
    values, places = np.unique(np.concatenate([real, fake]), return_inverse=True)
    shares = [
        np.bincount(of_class, minlength=len(values)) / len(of_class)
        for of_class in (places[: len(real)], places[len(real) :])
    ]
    differences = np.abs(shares[1] - shares[0])
    # Of values that tell as much, the one that one class has wholly, and fakes rather than others.
    most = np.lexsort((-shares[1], -np.maximum(*shares), -differences.round(12)))[0]
    of_real, of_fake = (f"{100 * share[most]:.0f} %" for share in shares)
    whose = ("real JPEGs", "fake ones") if trait in _OF_JPEGS else ("real images", "fakes")
    named = f"{_named(trait, values[most])}: {of_real} of {whose[0]}, {of_fake} of {whose[1]}"
    return Apart(trait, float(differences[most]), named)


def _by_cut(trait: str, real: NDArray[np.float64], fake: NDArray[np.float64]) -> Apart:
    """The largest distance between both distributions (Kolmogorov and Smirnov's)."""
    cuts = np.unique(np.concatenate([real, fake]))
    below = [
        np.searchsorted(np.sort(values), cuts, "right") / len(values) for values in (real, fake)
    ]
    apart = float(np.abs(below[1] - below[0]).max())
    of_real, of_fake = (f"{float(np.median(values)):,.4g}" for values in (real, fake))
    if trait == "bytes":
        of_real, of_fake = (f"{int(np.median(values)):,}" for values in (real, fake))
    words = f"{MEASURES[trait]}: median {of_real} of real images, {of_fake} of fakes"
    return Apart(trait, apart, words)


def _named(trait: str, value: float) -> str:
    number = int(value)
    if trait == "format":
        return f"format {FORMATS[number]}"
    if trait in MEASURES:
        return f"{MEASURES[trait]} {f'{number:,}' if value == number else f'{value:.4g}'}"
    if trait == "is_progressive":
        return KINDS[trait] if number else "not progressive"
    if trait.startswith("has_"):
        return f"{'with' if number else 'without'} {KINDS[trait]}"
    if not number:
        return f"no {KINDS[trait]}"
    return f"{KINDS[trait]} {SAMPLINGS[number] if trait == 'sampling' else number}"
