"""Copies of a bank are asked by turns."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import ray

from ufd_ray.pipeline.searching.asked import CopiedSearch

QUERIES = np.ones((2, 3), np.float32)


@pytest.mark.parametrize("process", [0, 1, 5])
def test_copies_take_turns(process: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def copy(name: str) -> Any:
        return SimpleNamespace(search=SimpleNamespace(remote=lambda *_: name))

    monkeypatch.setattr(ray, "get", lambda reference: reference)
    monkeypatch.setattr(os, "getpid", lambda: process)
    search = CopiedSearch([copy("a"), copy("b"), copy("c")])
    order: list[Any] = [search.search(QUERIES, 1) for _ in range(6)]
    assert order[0] == "abc"[process % 3], "not all workers begin with the same one"
    assert sorted(order[:3]) == sorted(order[3:]) == ["a", "b", "c"]


def test_nobody_is_asked_about_nothing() -> None:
    assert CopiedSearch([None]).search(QUERIES[:0], 3).index.shape == (0, 3)
