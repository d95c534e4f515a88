"""Labelled images dealt into folds, so that what judges a probe was no part of its fit.

All views of an image lie in one fold, and so do all images of a source: images of one generator or
one camera are too much alike to judge each other.
"""

from __future__ import annotations

import bisect
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ufd_ray.errors import SettingsError
from ufd_ray.schema import FAKE, REAL

MAX_FOLDS = 127


@dataclass(frozen=True, eq=False)
class Folds:
    """Which row lies in which fold.

    Attributes:
        numbers: (n,) int8, 0 … num_folds - 1.
        split_sources: sources that hold all images of a class, sorted. Without one of these, there
            would be nothing to fit on, so their images were dealt one by one.
    """

    numbers: NDArray[np.int8]
    split_sources: list[str]


def deal_folds(
    image_ids: Sequence[str] | NDArray[np.object_],
    labels: NDArray[np.integer],
    sources: Sequence[str | None] | NDArray[np.object_] | None,
    num_folds: int,
    seed: int,
) -> Folds:
    """Deal rows into folds of about the same size, in each class.

    The folds depend on the images and the seed, not on the order of the rows.

    Args:
        image_ids: (n,), one a row; rows of the same image have the same.
        labels: (n,) integers, 0 real, 1 fake; of an image with both, its first row's counts.
        sources: (n,), one a row, None where it is not known; None where none is.
        num_folds: 2 … 127.
        seed: of the deal.

    Raises:
        ValueError: shapes do not fit.
        SettingsError: a class has fewer images than there are folds.
    """
    if not 2 <= num_folds <= MAX_FOLDS:
        raise SettingsError(f"the number of folds must be 2 … {MAX_FOLDS}, but is {num_folds}")
    if not len(image_ids) == len(labels) == len(labels if sources is None else sources):
        raise ValueError("image_ids, labels and sources differ in length")
    # Images from here on, in an order that is drawn from the seed.
    _, first, image_of = np.unique(_drawn(image_ids, seed), return_index=True, return_inverse=True)
    is_fake = (labels[first] == FAKE).astype(np.int64)
    for label, word in ((REAL, "real"), (FAKE, "fake")):
        count = int(np.count_nonzero(is_fake == label))
        if count < num_folds:
            raise SettingsError(
                f"{num_folds} folds need at least {num_folds} {word} images, but there are"
                f" {count}: label more of them, or ask for fewer folds"
            )
    numbers = np.full(len(first), -1, np.int8)
    split_sources: list[str] = []
    if sources is not None:
        of_images = [sources[row] for row in first]
        split_sources = _deal_sources(of_images, is_fake, num_folds, seed, numbers)
    for label in (REAL, FAKE):
        own = is_fake == label
        left = np.flatnonzero(own & (numbers < 0))
        have = np.bincount(numbers[own & (numbers >= 0)], minlength=num_folds)
        numbers[left] = _filling_up(have, len(left))
    return Folds(numbers[image_of], split_sources)


def _drawn(names: Iterable[str], seed: int) -> NDArray[np.uint64]:
    """A random number for each name, the same wherever it stands."""
    key = seed.to_bytes(16, "little")
    digests = [hashlib.blake2b(n.encode(), digest_size=8, key=key).digest() for n in names]
    return np.frombuffer(b"".join(digests), np.uint64)


def _deal_sources(
    sources: list[str | None],
    is_fake: NDArray[np.int64],
    num_folds: int,
    seed: int,
    numbers: NDArray[np.int8],
) -> list[str]:
    """Deal whole sources, the largest first, each to the fold that has least of its classes.

    Args:
        sources: of the images.
        is_fake: (n,), 0 or 1.
        num_folds: how many.
        seed: decides between sources of the same size.
        numbers: (n,), where the folds of the images are written.

    Returns:
        The sources that were left, to be dealt image by image.
    """
    places: dict[str, list[int]] = {}
    for image, source in enumerate(sources):
        if source is not None:
            places.setdefault(source, []).append(image)
    names = list(places)
    of_class = np.bincount(is_fake, minlength=2)
    counts = np.array([np.bincount(is_fake[places[n]], minlength=2) for n in names]).reshape(-1, 2)
    shares = counts / of_class
    held = np.zeros((num_folds, 2))
    split = []
    for number in np.lexsort((_drawn(names, seed), -counts.sum(axis=1))):
        if (counts[number] == of_class).any():
            split.append(names[number])
            continue
        share = shares[number]
        most = ((held + share) * (share > 0)).max(axis=1)
        fold = np.lexsort((held.sum(axis=1), most))[0]
        held[fold] += share
        numbers[places[names[number]]] = fold
    return sorted(split)


def _filling_up(have: NDArray[np.int64], num_more: int) -> NDArray[np.int8]:
    """Folds for so many images more, in turn, so that all folds end as even as can be."""
    highest = int(have.max()) + num_more

    def taken_up_to(level: int) -> int:
        return int(np.maximum(level - have, 0).sum())

    level = bisect.bisect_left(range(highest + 1), num_more, key=taken_up_to)
    more = np.maximum(level - have, 0)
    full = np.flatnonzero(more)
    more[full[: taken_up_to(level) - num_more]] -= 1
    return np.repeat(np.arange(len(have)), more).astype(np.int8)
