"""A bank that is searched in parts: the same rows, whatever becomes of a part's process."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray

from tests.crawl.handmade import HERE
from tests.crawl.searched import make_searched_bank, queries
from ufd_ray.errors import ClusterError, StorageError
from ufd_ray.pipeline.cluster import look_at_cluster
from ufd_ray.pipeline.searching import OpenSearch, SearchPlan, open_search, plan_search
from ufd_ray.settings import SearchSettings
from ufd_ray.storage import BankInfo, read_searchable

WHOLE = SearchPlan("replicated", 1, 1, 28, 0, 0, 0, "")
# Of 14 rows each holds 4, and reads 3 at a time.
STREAMED = SearchPlan("sharded", 2, 2, 4, 3, 0, 0, "")


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> BankInfo:
    return make_searched_bank(tmp_path_factory.mktemp("bank"))


@pytest.fixture(scope="module")
def in_parts(bank: BankInfo, ray_cluster: dict[str, Any]) -> Iterator[OpenSearch]:
    with closing(open_search(STREAMED, bank, HERE)) as search:
        yield search


def test_the_machines_are_asked_how_much_they_have(
    bank: BankInfo, ray_cluster: dict[str, Any]
) -> None:
    cluster = look_at_cluster(may_grow=False)
    assert cluster.object_store == 300 * 2**20
    assert cluster.memory > 2**28
    assert plan_search(SearchSettings(), bank, cluster).mode == "replicated"


def found(search: OpenSearch, k: int, leave_out: Any = None) -> list[bytes]:
    near = search.connect()[0].search(queries(), k, leave_out=leave_out)
    names = ("index", "similarity", "real_similarity", "fake_similarity")
    return [getattr(near, name).tobytes() for name in names]


def test_parts_find_what_the_whole_finds(bank: BankInfo, in_parts: OpenSearch) -> None:
    whole = open_search(WHOLE, bank, HERE)
    own = np.arange(20) - 1
    for k, leave_out in ((5, None), (28, None), (5, own), (27, own)):
        assert found(in_parts, k, leave_out) == found(whole, k, leave_out)
    expected = read_searchable(bank, HERE).drop(["embedding"])
    for search in (in_parts, whole):
        assert search.connect()[1].equals(expected)
    with pytest.raises(ValueError, match="k must be from 0 to 28"):
        found(in_parts, 29)
    assert in_parts.connect()[0].search(queries()[:0], 3).index.shape == (0, 3)


def test_an_error_of_a_part_is_ours(bank: BankInfo, in_parts: OpenSearch, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="zero or not finite"):
        in_parts.connect()[0].search(np.zeros((2, bank.dim), np.float32), 3)
    damaged = make_searched_bank(tmp_path)
    (tmp_path / damaged.shards[2]["name"]).write_bytes(b"")
    with pytest.raises(StorageError, match=r"shard shards/part-00002.parquet is damaged"):
        open_search(STREAMED, damaged, HERE)
    with pytest.raises(StorageError, match=r"hold 28 images to search, and bank\.json says 29"):
        open_search(STREAMED, replace(bank, num_searchable=29), HERE)


def test_a_part_that_is_killed_is_made_again_until_all_are_closed(in_parts: OpenSearch) -> None:
    before = found(in_parts, 5)
    number = ray.get(in_parts.shards[1].__ray_call__.remote(process_id))
    os.kill(number, signal.SIGKILL)
    assert found(in_parts, 5) == before
    assert ray.get(in_parts.shards[1].__ray_call__.remote(process_id)) != number
    in_parts.close()
    with pytest.raises(ClusterError, match="a part of the bank was lost"):
        found(in_parts, 5)


def process_id(_: object) -> int:
    return os.getpid()
