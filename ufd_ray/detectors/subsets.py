"""Which of a bank's images are taken where fewer do: nested, of both classes, drawn by a seed."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ufd_ray.schema import FAKE, REAL


def balanced_order(
    labels: NDArray[np.integer], image_ids: Sequence[str] | NDArray[np.str_], seed: int
) -> NDArray[np.int64]:
    """An order of images, real and fake by turns: its first 2 m are the subset of 2 m.

    So subsets are nested, and half of each is real. Each class is in the order of the SHA-256 of
    seed and image_id, which depends neither on the images' own order nor on a library's version.

    Args:
        labels: (n,) integers, 0 real, 1 fake.
        image_ids: (n,) str.
        seed: at least 0, less than 2⁶³.

    Returns:
        (2 m,) int64, rows, m being the number of images of the smaller class.
    """
    prefix = struct.pack(">Q", seed)
    digests = [hashlib.sha256(prefix + name.encode("utf-8", "surrogatepass")) for name in image_ids]
    keys = np.array([digest.digest() for digest in digests], "S32")
    order = np.argsort(keys, kind="stable")
    of_class = [order[np.asarray(labels)[order] == label] for label in (REAL, FAKE)]
    fewest = min(map(len, of_class))
    return np.stack([rows[:fewest] for rows in of_class], axis=1).reshape(-1).astype(np.int64)
