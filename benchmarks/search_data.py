"""Made-up embeddings that lie as an image encoder's do, for `search.py`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

DIM = 768
CHUNK_ROWS = 10_000
RANK = 96
NUM_CLUSTERS = 500
COMMON, CLUSTER, CORRELATED, OWN = 0.5, 0.15, 0.2, 0.15
"""Shares of a row's squared length; the first is the mean cosine of two rows."""
DUPLICATES = 0.05
_SHAPE, _BANK, _QUERIES = range(3)


@dataclass(frozen=True, eq=False)
class Bank:
    """What is searched in.

    Attributes:
        vectors: (n, 768) float32, of length one.
        labels: (n,) int8, real and fake by turns.
        image_ids: (n,) str.
    """

    vectors: Floats
    labels: NDArray[np.int8]
    image_ids: NDArray[np.str_]

    def first(self, num_rows: int) -> Bank:
        return Bank(self.vectors[:num_rows], self.labels[:num_rows], self.image_ids[:num_rows])


def make_bank(num_rows: int, seed: int = 0) -> Bank:
    """A smaller bank is the beginning of a larger one."""
    rows = np.arange(num_rows)
    return Bank(
        vectors=_make_rows(num_rows, seed, _BANK),
        labels=(rows % 2).astype(np.int8),
        image_ids=np.char.mod("%08x", rows),
    )


def make_queries(num_queries: int, near: Floats, seed: int = 0) -> Floats:
    """(num_queries, 768) of length one, some of them almost rows of `near`.

    Fewer queries are the beginning of more.
    """
    return _make_rows(num_queries, seed, _QUERIES, near)


def _make_rows(num_rows: int, seed: int, stream: int, near: Floats | None = None) -> Floats:
    shape = np.random.default_rng([seed, _SHAPE])
    common = _normal(shape, (DIM,), COMMON)
    mix = _normal(shape, (RANK, DIM), 1.0)
    strength = np.arange(1, RANK + 1, dtype=np.float32)[:, None] ** -0.5
    mix *= strength / np.sqrt((strength**2).sum())  # z @ mix has length one on average
    centres = shape.standard_normal((NUM_CLUSTERS, RANK), np.float32) @ mix
    mix *= np.float32(np.sqrt(CORRELATED))
    centres *= np.float32(np.sqrt(CLUSTER))
    scale = np.exp(0.5 * shape.standard_normal(DIM, np.float32))
    scale *= np.float32(np.sqrt(OWN / (scale**2).sum()))
    rows = np.empty((num_rows, DIM), np.float32)
    for start in range(0, num_rows, CHUNK_ROWS):
        # Drawn whole, also where fewer are kept: the first rows are then always the same.
        rng = np.random.default_rng([seed, stream, start])
        part = rng.standard_normal((CHUNK_ROWS, DIM), np.float32)
        part *= scale
        part += rng.standard_normal((CHUNK_ROWS, RANK), np.float32) @ mix
        part += centres[rng.integers(NUM_CLUSTERS, size=CHUNK_ROWS)]
        part += common
        _to_unit(part)
        _duplicate(part, part.copy() if near is None else near, rng)
        rows[start : start + CHUNK_ROWS] = part[: num_rows - start]
    return rows


def _normal(rng: np.random.Generator, shape: tuple[int, ...], squared_length: float) -> Floats:
    vectors = rng.standard_normal(shape, np.float32)
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors * (np.sqrt(squared_length) / lengths)).astype(np.float32)


def _duplicate(rows: Floats, near: Floats, rng: np.random.Generator) -> None:
    """Replace a share of the rows by others, which they miss by a thousandth to a tenth."""
    num = int(DUPLICATES * len(rows))
    places = rng.choice(len(rows), num, replace=False)
    away = (10 ** rng.uniform(-3, -1, (num, 1)) / np.sqrt(DIM)).astype(np.float32)
    copies = near[rng.integers(len(near), size=num)]
    copies += away * rng.standard_normal((num, DIM), np.float32)
    _to_unit(copies)
    rows[places] = copies


def _to_unit(rows: Floats) -> None:
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
