"""A copy of a bank answers as the bank does, and says what is wrong when it is asked."""

from __future__ import annotations

from typing import NoReturn

import numpy as np
import pytest

from ufd_ray.detectors import NeighborSearch
from ufd_ray.errors import ClusterError, StorageError
from ufd_ray.pipeline.searching import copied
from ufd_ray.pipeline.searching.copied import BankCopy

VECTORS = np.random.default_rng(7).normal(size=(12, 5)).astype(np.float32)
WHOLE = NeighborSearch(VECTORS, np.arange(12) % 2, [f"{n:02d}" for n in range(12)])


def test_it_is_fetched_once_and_answers_as_the_bank() -> None:
    fetched: list[NeighborSearch] = []

    def fetch() -> NeighborSearch:
        fetched.append(WHOLE)
        return WHOLE

    copy, own = BankCopy(fetch, "cpu"), np.arange(12)
    for leave_out in (None, own):
        ours = copy.search(VECTORS, 3, leave_out, 2)
        theirs = WHOLE.search(VECTORS, 3, leave_out=leave_out, per_class=2)
        assert ours.index.tobytes() == theirs.index.tobytes()
        assert ours.similarity.tobytes() == theirs.similarity.tobytes()
        assert ours.class_similarity.tobytes() == theirs.class_similarity.tobytes()
    assert len(fetched) == 1


def test_what_is_wrong_is_said_each_time_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged() -> NoReturn:
        raise StorageError("shard a is damaged")

    def refuse(device: str) -> None:
        raise ClusterError(f"{device} cannot be used")

    copy = BankCopy(damaged, "cpu")
    for _ in range(2):
        with pytest.raises(StorageError, match="shard a is damaged"):
            copy.search(VECTORS, 3)
    monkeypatch.setattr(copied, "require_search_device", refuse)
    with pytest.raises(ClusterError, match="cuda cannot be used"):
        BankCopy(damaged, "cuda").search(VECTORS, 3)
