"""Traits of files as columns of numbers, each with its name."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ufd_ray.images import FORMATS

MEASURES = {
    "bytes": "bytes",
    "bytes_per_pixel": "bytes per pixel",
    "width": "width",
    "height": "height",
    "aspect": "width : height",
}
"""What has an order: column → what it is called."""

KINDS = {
    "format": "format",
    "quality": "JPEG quality",
    "tables": "JPEG quantisation tables",
    "sampling": "JPEG colour sampling",
    "is_progressive": "progressive JPEG",
    "has_exif": "EXIF",
    "has_icc": "colour profile",
    "has_xmp": "XMP",
    "has_others": "other metadata",
}
"""What is one of a few words."""

JPEG_KINDS = ("format", "quality", "tables", "sampling")
"""What of them leaves its marks in the pixels."""

Columns = Mapping[str, NDArray[np.float64]]
"""A number an image: (n,) float64 for each of `KINDS` and `MEASURES`."""


def traits_columns(traits: Mapping[str, NDArray[np.generic]]) -> Columns:
    """Traits of n files → the columns that a classifier sees.

    Args:
        traits: (n,) for each field of `FileTraits`.

    Returns:
        The columns, kinds first. Quantisation tables are numbered by how often they occur here, the
        most frequent 1; 0: there are none.
    """
    numbers = {name: np.asarray(traits[name]) for name in traits if name != "format"}
    width, height, size = (
        numbers[name].astype(np.float64) for name in ("width", "height", "num_bytes")
    )
    measures = {
        "bytes": size,
        "bytes_per_pixel": size / (width * height),
        "width": width,
        "height": height,
        "aspect": width / height,
    }
    kinds = {name: numbers[name] for name in KINDS if name not in ("format", "tables")}
    kinds["format"] = np.array([FORMATS.index(str(word)) for word in traits["format"]])
    kinds["tables"] = _by_frequency(numbers["tables"])
    columns = {name: kinds[name] for name in KINDS} | measures
    return {name: column.astype(np.float64) for name, column in columns.items()}


def _by_frequency(tables: NDArray[np.generic]) -> NDArray[np.int64]:
    values, places, counts = np.unique(tables, return_inverse=True, return_counts=True)
    there = values != 0
    ranks = np.zeros(len(values), np.int64)
    order = np.argsort(-counts[there], kind="stable")
    ranks[np.flatnonzero(there)[order]] = np.arange(1, len(order) + 1)
    return ranks[places]
