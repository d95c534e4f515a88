"""The nearest-neighbour detector: an image is as fake as the images of the bank it lies closest to.

Source: the paper's section 4, "Nearest neighbor": pred(x) = 1 where the smallest cosine distance
to a fake image of the bank is strictly smaller than that to a real one, else 0. With k > 1 the
majority of the k nearest of the joint bank decides (section 6).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from ufd_ray.cpu import fast_bf16
from ufd_ray.detectors.search import (
    Bank,
    CentredRows,
    Held,
    Pairs,
    SearchCounts,
    SingleRows,
    StoredRows,
    UnitRows,
    Wanted,
    bounded_products,
    divided,
    nearest,
    shared,
    side_by_side,
)
from ufd_ray.errors import StorageError
from ufd_ray.schema import FAKE, REAL

QUERIES_A_PASS = {"cpu": 4096, "cuda": 8192}
"""Queries that are searched at a time: they bound what a search holds in memory."""

_ONE_AT_A_TIME = threading.Lock()
"""Searches of a process take turns: each has all cores, and what it sets holds for all threads."""

Embeddings = NDArray[np.float32] | NDArray[np.float16]


@dataclass(frozen=True, eq=False)
class Neighbors:
    """What a bank holds around each of q queries.

    Attributes:
        index: (q, k) int64, rows of the bank, nearest first: similarity falling, then real before
            fake, then image_id rising.
        similarity: (q, k) float64, their cosine similarity.
        class_similarity: (2, q, c) float64, to the c nearest real and the c nearest fake images,
            falling; NaN where the bank has no more of a class. c is at least 1.
        counts: how they were found.
    """

    index: NDArray[np.int64]
    similarity: NDArray[np.float64]
    class_similarity: NDArray[np.float64]
    counts: SearchCounts = field(default_factory=SearchCounts)

    @property
    def real_similarity(self) -> NDArray[np.float64]:
        """(q,), to the nearest real image; NaN if the bank has none."""
        return self.class_similarity[REAL, :, 0]

    @property
    def fake_similarity(self) -> NDArray[np.float64]:
        """(q,), to the nearest fake image; NaN if the bank has none."""
        return self.class_similarity[FAKE, :, 0]


class NeighborSearch:
    """Exact search in one bank, or one shard of a bank.

    What it holds beside the embeddings is in NumPy arrays: pickled by reference, as Ray does, one
    search serves all processes of a machine.

    Args:
        embeddings: (n, d) float32 or float16; n may be 0. Read-only arrays are welcome, and
            C-contiguous ones are not copied.
        labels: (n,) integers, 0 real, 1 fake.
        image_ids: (n,) str. They order rows that are equally similar and name unusable ones.
        device: where the matrix products run, as torch names it. The answer is the same on all.
        half: whether half precision (bfloat16 on a CPU, float16 on a GPU) finds the candidates, or
            float32. The answer is the same. None: where the device is fast in it.

    Raises:
        ValueError: shapes or dtypes do not fit.
        StorageError: an embedding is zero or not finite, a label is neither 0 nor 1, or two rows of
            a label have the same image_id: the bank is unusable. The first such image is named.
    """

    def __init__(
        self,
        embeddings: Embeddings,
        labels: NDArray[np.integer],
        image_ids: NDArray[np.str_] | Sequence[str],
        *,
        device: str = "cpu",
        half: bool | None = None,
    ) -> None:
        _check_matrix(embeddings, "embeddings")
        labels, names = np.asarray(labels), np.asarray(image_ids, dtype=np.str_)
        if labels.shape != (len(embeddings),) or names.shape != labels.shape:
            raise ValueError(
                f"embeddings {embeddings.shape}, labels {labels.shape} and image_ids "
                f"{names.shape} must have as many rows"
            )
        rows = StoredRows(embeddings)
        _refuse_bank(~np.isfinite(rows.norms), names, "an embedding with NaN or infinity")
        _refuse_bank(rows.norms == 0, names, "an embedding of zeros, which has no direction")
        _refuse_bank((labels != REAL) & (labels != FAKE), names, "a label that is not 0 or 1")
        where = torch.device(device)
        on_gpu = where.type == "cuda"
        if half is None:
            half = on_gpu or fast_bf16() is not None
        narrow = torch.float16 if on_gpu else torch.bfloat16
        coarse = CentredRows(rows, labels, narrow if half else torch.float32, where)
        self._bank = Bank(
            rows=rows,
            labels=labels.astype(np.int8),
            rank=Held(rank_of(labels, names)),
            coarse=coarse,
            single=SingleRows(rows, labels, where) if half else coarse,
            device=where,
        )

    @property
    def num_rows(self) -> int:
        """Rows of the bank."""
        return len(self._bank.rows)

    @property
    def dim(self) -> int:
        """Numbers in an embedding."""
        return self._bank.rows.dim

    def search(
        self,
        queries: Embeddings,
        k: int,
        *,
        leave_out: NDArray[np.int64] | None = None,
        per_class: int = 1,
    ) -> Neighbors:
        """Find the k nearest of the joint bank, and how near the nearest of each class are.

        Args:
            queries: (q, d) float32 or float16; q may be 0.
            k: how many neighbours: 0 … n, or n - 1 where rows are left out.
            leave_out: (q,) the row of the bank that each query may not find, its own as a rule; -1:
                it may find all. None: all may.
            per_class: to how many of each class the similarity is wanted, at least 1. There may be
                fewer of them.

        Returns:
            The neighbours; for a given query the same bits whatever the other queries are.

        Raises:
            ValueError: k, per_class or a row of leave_out is out of range, a shape or dtype does
                not fit, or a query is zero or not finite (its row is named).
        """
        _check_matrix(queries, "queries")
        if queries.shape[1] != self.dim:
            raise ValueError(f"queries have {queries.shape[1]} columns, the bank has {self.dim}")
        most = self.num_rows if leave_out is None else max(0, self.num_rows - 1)
        if not 0 <= k <= most:
            which = "" if leave_out is None else " others of the"
            raise ValueError(f"k must be from 0 to the {most}{which} rows of the bank, but is {k}")
        if per_class < 1:
            raise ValueError(f"per_class must be at least 1, but is {per_class}")
        leave_out = self._checked(leave_out, len(queries))
        device = self._bank.device
        vectors = UnitRows.of(shared(queries).to(device))
        norms = vectors.norms.cpu().numpy()
        unusable = np.flatnonzero(~np.isfinite(norms) | (norms == 0))
        if len(unusable):
            raise ValueError(f"query in row {unusable[0]} is zero or not finite")
        own = None if leave_out is None else torch.from_numpy(leave_out).to(device)

        wanted = Wanted(k, per_class)
        parts, threads, scanning = divided(len(queries), QUERIES_A_PASS[device.type], device)

        def some(part: slice) -> tuple[slice, Pairs, torch.Tensor, SearchCounts]:
            mine = None if own is None else own[part]
            return part, *nearest(self._bank, vectors[part], wanted, mine, scanning)

        index = np.empty((len(queries), k), np.int64)
        similarity = np.empty((len(queries), k))
        closest = np.empty((2, len(queries), per_class))
        counts = SearchCounts()
        with _ONE_AT_A_TIME, bounded_products(device):
            found = side_by_side(some, parts, threads)
        for part, joint, near, counted in found:
            if k:
                query = part.start + joint.query[::k].cpu().numpy()
                index[query] = joint.row.view(-1, k).cpu().numpy()
                similarity[query] = joint.similarity.view(-1, k).cpu().numpy()
            closest[:, part] = near.cpu().numpy()
            counts += counted
        closest[np.isneginf(closest)] = np.nan  # no more rows of that class
        return Neighbors(index, similarity, closest, counts)

    def _checked(
        self, leave_out: NDArray[np.int64] | None, num_queries: int
    ) -> NDArray[np.int64] | None:
        if leave_out is None:
            return None
        rows = np.asarray(leave_out)
        fits = rows.shape == (num_queries,) and rows.dtype.kind in "iu"
        if not fits or (rows < -1).any() or (rows >= self.num_rows).any():
            raise ValueError(
                f"leave_out must be a row from -1 to {self.num_rows - 1} for each of {num_queries}"
                f" queries, but is {rows.dtype} {rows.shape}"
            )
        return rows.astype(np.int64)


def rank_of(
    labels: NDArray[np.integer], image_ids: NDArray[np.str_] | Sequence[str]
) -> NDArray[np.int64]:
    """Place of every row in the order by label, then image_id: what decides between equals.

    Returns:
        (n,) int64.

    Raises:
        StorageError: two rows of a label have the same image_id: nothing would decide between them.
    """
    labels, names = np.asarray(labels), np.asarray(image_ids, dtype=np.str_)
    order = np.lexsort((names, labels))
    again = (names[order][1:] == names[order][:-1]) & (labels[order][1:] == labels[order][:-1])
    _refuse_bank(again, names[order][1:], "the image_id of another of its label")
    rank = np.empty(len(labels), np.int64)
    rank[order] = np.arange(len(labels))
    return rank


def merge_neighbors(parts: Sequence[Neighbors], rank: NDArray[np.int64], k: int) -> Neighbors:
    """What several shards hold around the same queries, as if they were one bank.

    Args:
        parts: of each shard, as many neighbours as it has, at most k, and for each class
            similarities to as many as of all other shards; at least one part. Their `index` is the
            row in the whole bank.
        rank: (n,) of the rows of the whole bank, as `rank_of` gives it.
        k: how many neighbours; the shards have as many together.

    Returns:
        The bits of a search in the whole bank. As many queries count as searched again, or settled,
        as in the shard that had most of them: the least that it can have been.
    """
    num = len(parts[0].index)
    query = np.arange(num)
    joint = Pairs(
        shared(np.concatenate([np.repeat(query, part.index.shape[1]) for part in parts])),
        shared(np.concatenate([part.index.reshape(-1) for part in parts])),
        shared(np.concatenate([part.similarity.reshape(-1) for part in parts])),
    ).best(k, shared(rank))
    of_class = np.concatenate([part.class_similarity for part in parts], axis=2)
    per_class = parts[0].class_similarity.shape[2]
    known = np.where(np.isnan(of_class), -np.inf, of_class)
    closest = np.sort(known, axis=2)[:, :, ::-1][:, :, :per_class]
    closest[np.isneginf(closest)] = np.nan
    counts = [part.counts for part in parts]
    recomputed = max(one.num_recomputed for one in counts)
    return Neighbors(
        joint.row.view(num, k).numpy(),
        joint.similarity.view(num, k).numpy(),
        closest,
        SearchCounts(num, num - recomputed, recomputed, max(one.num_settled for one in counts)),
    )


def search_bytes(num_rows: int, dim: int, dtype: str) -> int:
    """Memory that a search holds at most: embeddings, the copy that is scanned, norms, order.

    The copy is counted in float32, as on a machine without a fast half precision; where there is
    one, it takes half of that.

    Args:
        num_rows: rows of the bank.
        dim: numbers in an embedding.
        dtype: `float32` or `float16`, the stored precision.
    """
    return num_rows * ((np.dtype(dtype).itemsize + 4) * dim + 64)


def _check_matrix(vectors: Embeddings, name: str) -> None:
    if vectors.ndim != 2 or vectors.dtype not in (np.float32, np.float16):
        raise ValueError(
            f"{name} must be a float32 or float16 matrix, but is {vectors.dtype} {vectors.shape}"
        )


def _refuse_bank(unusable: NDArray[np.bool_], names: NDArray[np.str_], what: str) -> None:
    if unusable.any():
        raise StorageError(
            f"the bank is unusable: image {names[unusable.argmax()]} has {what} "
            f"({np.count_nonzero(unusable)} of {len(names)} images have)"
        )
