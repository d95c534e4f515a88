"""Which rows of a bank deserve a look, by what all the others say of them."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ufd_ray.schema import FAKE, REAL

ONE_AND_THE_SAME = 1 - 1e-6
"""Cosine similarity from which on two embeddings count as those of one picture.

Two encodings of the same pixels differ by rounding: in fp32 by about 1e-7 of their length; where
they are stored as float16, by one unit in the last place, 2^-10 of a number: a distance of 5e-7.
"""


class Reason(StrEnum):
    """Why a row deserves a look, the worst first."""

    DUPLICATE_OF_OTHER_CLASS = "duplicate_of_other_class"
    """The same picture is in the bank once as real and once as fake."""
    SUSPECT_LABEL = "suspect_label"
    """All of its nearest others are of the other class."""
    DUPLICATE = "duplicate"
    """The same picture is in the bank again, with the same label."""


def find_reasons(
    labels: NDArray[np.integer[Any]],
    neighbor_labels: NDArray[np.integer[Any]],
    real_distance: NDArray[np.float64],
    fake_distance: NDArray[np.float64],
) -> NDArray[np.object_]:
    """Why each row deserves a look: the worst reason, None where there is none.

    Args:
        labels: (n,) of the rows, 0 real, 1 fake.
        neighbor_labels: (n, k) of the nearest other rows, k at least 1.
        real_distance: (n,) to the nearest other real row; NaN where there is none.
        fake_distance: likewise.

    Returns:
        (n,) `Reason` or None.
    """
    own = np.where(labels == FAKE, fake_distance, real_distance)
    other = np.where(labels == FAKE, real_distance, fake_distance)
    found = np.full(len(labels), None, object)
    found[1 - own >= ONE_AND_THE_SAME] = Reason.DUPLICATE
    found[(neighbor_labels != labels[:, None]).all(axis=1)] = Reason.SUSPECT_LABEL
    found[1 - other >= ONE_AND_THE_SAME] = Reason.DUPLICATE_OF_OTHER_CLASS
    return found


def suspects_by_chance(num_real: int, num_fake: int, k: int) -> float:
    """How many rows would be suspects if labels had nothing to do with embeddings.

    Of k others drawn without replacement, all are of the other class, which has m of the n rows,
    with probability prod (m - i) / (n - 1 - i), i = 0 … k - 1.

    Args:
        num_real: real rows.
        num_fake: fake ones.
        k: neighbours, at most n - 1.
    """
    drawn = np.arange(k)
    chances = [
        float(np.prod((other - drawn).clip(0) / (num_real + num_fake - 1 - drawn)))
        for other in (num_fake, num_real)
    ]
    return num_real * chances[REAL] + num_fake * chances[FAKE]
