"""Banks that are hard to search exactly, and the slow way of doing so."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ufd_ray.detectors import Neighbors
from ufd_ray.detectors.search import centred_rows, coarse_rows

Matrix = NDArray[np.float32] | NDArray[np.float16]
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


def small_tiles(monkeypatch: pytest.MonkeyPatch, num_bytes: int) -> None:
    """So many bytes of a query's products to a tile, however few queries there are."""
    for module in (coarse_rows, centred_rows):
        monkeypatch.setattr(module, "STEP", coarse_rows.GROUP)
    monkeypatch.setattr(coarse_rows, "TILE_BYTES", num_bytes)
    monkeypatch.setattr(coarse_rows, "TILE_PRODUCTS", {"cpu": 0, "cuda": 0})


def names(rng: np.random.Generator, n: int) -> NDArray[np.str_]:
    """Ids whose order is not the rows' order."""
    return np.array([f"{number:032x}" for number in rng.permutation(n)], dtype=np.str_)


def cone(rng: np.random.Generator, n: int, dim: int, cosine: float) -> NDArray[np.float32]:
    """Vectors of norm about 18 that share a direction, as CLIP's do: mean cosine as asked."""
    axis = np.ones(dim) / math.sqrt(dim)
    spread = rng.normal(size=(n, dim)) * math.sqrt((1 - cosine) / cosine / dim)
    return (18 * math.sqrt(cosine) * (axis + spread)).astype(np.float32)


def brute_force(
    bank: Matrix,
    labels: NDArray[Any],
    ids: NDArray[np.str_],
    queries: Matrix,
    k: int,
    leave_out: NDArray[np.int64] | None = None,
    per_class: int = 1,
) -> Neighbors:
    """Every similarity in float64, every order by Python's sort."""
    unit = bank.astype(np.float64)
    unit /= np.sqrt((unit * unit).sum(axis=1))[:, None]
    index, similarity, nearest = [], [], []
    for number, query in enumerate(queries.astype(np.float64)):
        query = query / np.sqrt((query * query).sum())
        cosines = (unit * query).sum(axis=1).tolist()
        others = [i for i in range(len(bank)) if leave_out is None or i != leave_out[number]]
        order = sorted(others, key=lambda i: (-cosines[i], labels[i], ids[i]))[:k]
        index.append(order)
        similarity.append([cosines[i] for i in order])
        of_class = [[cosines[i] for i in others if labels[i] == label] for label in (0, 1)]
        falling = [sorted(known, reverse=True)[:per_class] for known in of_class]
        nearest.append([some + [math.nan] * (per_class - len(some)) for some in falling])
    return Neighbors(
        np.array(index, np.int64).reshape(len(queries), k),
        np.array(similarity).reshape(len(queries), k),
        np.array(nearest).reshape(len(queries), 2, per_class).transpose(1, 0, 2),
    )


def assert_equal(found: Neighbors, expected: Neighbors) -> None:
    """Bit for bit."""
    for name in ("index", "similarity", "class_similarity"):
        a, b = getattr(found, name), getattr(expected, name)
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b, err_msg=name)


def random_bank(rng: np.random.Generator) -> NDArray[np.float32]:
    return rng.normal(size=(700, 24)).astype(np.float32)


def cone_bank(rng: np.random.Generator) -> NDArray[np.float32]:
    return np.concatenate([cone(rng, 400, 96, 0.5), cone(rng, 400, 96, 0.8)])


def near_duplicates(rng: np.random.Generator) -> NDArray[np.float32]:
    """Groups of 200 rows, whose similarities differ by less than float32 can tell."""
    base = np.repeat(cone(rng, 3, 48, 0.6), 200, axis=0)
    return (base * (1 + 3e-7 * rng.normal(size=base.shape))).astype(np.float32)


def exact_ties(rng: np.random.Generator) -> NDArray[np.float32]:
    """Every row eight times, with labels drawn for each: ties within and across classes."""
    return rng.permutation(np.repeat(cone(rng, 60, 32, 0.6), 8, axis=0))


def scaled_copies(rng: np.random.Generator) -> NDArray[np.float32]:
    """Directions in many lengths, near the ends of float32: products of raw rows would fail."""
    lengths = 10.0 ** rng.uniform(-36, 36, size=(400, 1))
    return (rng.normal(size=(400, 16)) * lengths).astype(np.float32)


HARD = (random_bank, cone_bank, near_duplicates, exact_ties, scaled_copies)
"""What makes banks, from a random generator."""
