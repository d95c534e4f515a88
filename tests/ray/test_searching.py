"""A bank that is searched in parts: the same rows, whatever becomes of a part's process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray

from tests.crawl.handmade import HERE, make_bank
from tests.crawl.runs import REPOSITORY
from tests.crawl.searched import make_searched_bank, queries
from tests.servers.ray_nodes import RayNodes, start_ray_nodes
from ufd_ray.errors import ClusterError, StorageError
from ufd_ray.pipeline.cluster import Cluster, look_at_cluster
from ufd_ray.pipeline.searching import OpenSearch, SearchPlan, gpus, open_search, plan_search
from ufd_ray.pipeline.searching.asked import CopiedSearch
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


def found(search: OpenSearch, k: int, leave_out: Any = None, per_class: int = 1) -> list[bytes]:
    asked = search.connect()[0]
    near = asked.search(queries(), k, leave_out=leave_out, per_class=per_class)
    names = ("index", "similarity", "class_similarity")
    return [getattr(near, name).tobytes() for name in names]


def test_parts_find_what_the_whole_finds(bank: BankInfo, in_parts: OpenSearch) -> None:
    whole = open_search(WHOLE, bank, HERE)
    own = np.arange(20) - 1
    for k, *more in ((5, None, 9), (28, None), (5, own), (27, own, 20)):
        assert found(in_parts, k, *more) == found(whole, k, *more)
    expected = read_searchable(bank, HERE).drop(["embedding"])
    for search in (in_parts, whole):
        assert search.connect()[1].equals(expected)
    with pytest.raises(ValueError, match="k must be from 0 to 28"):
        found(in_parts, 29)
    nothing = in_parts.connect()[0].search(queries()[:0], 3, per_class=4)
    assert (nothing.index.shape, nothing.class_similarity.shape) == ((0, 3), (2, 0, 4))


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
    number = ray.get(in_parts.actors[1].__ray_call__.remote(process_id))
    os.kill(number, signal.SIGKILL)
    assert found(in_parts, 5) == before
    assert ray.get(in_parts.actors[1].__ray_call__.remote(process_id)) != number
    in_parts.close()
    with pytest.raises(ClusterError, match="a part of the bank was lost"):
        found(in_parts, 5)


def process_id(_: object) -> int:
    return os.getpid()


def test_a_machine_that_has_gone_is_none_to_search_on(
    ray_cluster: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, gone = ray.get_runtime_context().get_node_id(), "ab" * 28
    seen = ray.nodes()
    told = [{"NodeID": name, "Alive": True, "Resources": {"GPU": 1}} for name in (here, gone)]
    monkeypatch.setattr(gpus, "SEARCHING_GPU", 0)
    monkeypatch.setattr(gpus, "wait_for_machine", lambda *_, **__: None)
    monkeypatch.setattr(gpus, "_gpu_memory", lambda: 80 * 2**30)
    with monkeypatch.context() as patch:
        answers = iter([told, seen])
        patch.setattr(ray, "nodes", lambda: next(answers))
        found = gpus.find_gpus(Cluster((4,)), 60)
    assert found.nodes == (here,)
    assert found.memory == 80 * 2**30
    assert found.cluster.object_store == 300 * 2**20


def test_a_copy_answers_and_is_made_again(bank: BankInfo, ray_cluster: dict[str, Any]) -> None:
    """A copy as GPUs have it, on CPUs."""
    whole, node = open_search(WHOLE, bank, HERE), ray.get_runtime_context().get_node_id()
    own = np.arange(20) - 1
    expected = found(whole, 5, own, 9)
    with closing(open_search(replace(WHOLE, nodes=(node,)), bank, HERE)) as copies:
        assert found(copies, 5, own, 9) == expected
        assert copies.connect()[1].equals(whole.connect()[1])
        os.kill(ray.get(copies.actors[0].__ray_call__.remote(process_id)), signal.SIGKILL)
        assert found(copies, 5, own, 9) == expected
    with pytest.raises(ClusterError, match="a copy of the bank was lost"):
        found(copies, 5)


def test_an_error_of_a_copy_is_ours(
    bank: BankInfo, ray_cluster: dict[str, Any], tmp_path: Path
) -> None:
    node = ray.get_runtime_context().get_node_id()
    damaged = make_searched_bank(tmp_path)
    (tmp_path / damaged.shards[2]["name"]).write_bytes(b"")
    there = SearchPlan("replicated", 1, 1, 28, 0, 0, 0, "", "cpu", (node,))
    with closing(open_search(there, damaged, HERE)) as search:
        for ask in (search.connect, lambda: CopiedSearch(search.actors).search(queries(), 3)):
            with pytest.raises(StorageError, match=r"shard shards/part-00002.parquet is damaged"):
                ask()


@pytest.mark.slow
def test_a_search_on_gpus_waits_for_one_and_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    bank = f"--bank={make_bank(tmp_path / 'bank')}"

    def score(nodes: RayNodes, run_id: str, *flags: str) -> str:
        """The error of a run on stored embeddings, which wants nothing of a GPU but the search."""
        names = (f"--embeddings={tmp_path}/bank", f"--output={tmp_path}/out", f"--run-id={run_id}")
        ended = subprocess.run(
            [sys.executable, "jobs/score.py", bank, *names, "--k=3", *flags],
            cwd=REPOSITORY,
            env=nodes.environment,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert ended.returncode == 1, ended.stdout + ended.stderr
        (line,) = [s for s in ended.stderr.splitlines() if s.startswith("error: ")]
        return line

    with start_ray_nodes(head_cpus=2) as nodes:
        said = score(nodes, "none", "--search-device=cuda", "--wait-for-gpus-s=3")
        assert "no machine with 0.01 GPU to spare came within 3 s" in said
        nodes.add(1, 1)
        # Which waits for the machine: until then `auto` may see none.
        assert "--search-device cpu" in score(nodes, "asked", "--search-device=cuda")
        # Nothing is encoded, and there is a GPU: it is taken, and nobody does without in silence.
        assert "no GPU driver is installed" in score(nodes, "auto")
