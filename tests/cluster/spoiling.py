"""Broken twins of a parsed file, one for every key in it and every way to spoil one."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any


def spoilt_twins(config: Any) -> Iterator[tuple[str, Any]]:
    """Copies with one key misspelt, left out, or of another type, and what was done to each."""
    for path in _ways(config):
        *above, name = path
        where = ".".join(map(str, path))
        if isinstance(name, str):
            twin, parent = _copy(config, above)
            parent[f"{name}s"] = parent.pop(name)
            yield f"{where} misspelt", twin
        twin, parent = _copy(config, above)
        parent.pop(name)
        yield f"{where} left out", twin
        wrongs: list[Any] = [5, "many", None, True, False, [], {"wrong": 5}]
        for wrong in wrongs:
            twin, parent = _copy(config, above)
            if type(parent[name]) is not type(wrong):
                parent[name] = wrong
                yield f"{where} is {wrong!r}", twin


def _ways(node: Any) -> Iterator[list[Any]]:
    pairs = node.items() if isinstance(node, dict) else enumerate(node)
    for name, below in list(pairs):
        yield [name]
        if isinstance(below, dict | list):
            yield from ([name, *rest] for rest in _ways(below))


def _copy(config: Any, above: list[Any]) -> tuple[Any, Any]:
    """A copy of everything, and the map or list in it that `above` leads to."""
    twin = copy.deepcopy(config)
    parent = twin
    for name in above:
        parent = parent[name]
    return twin, parent
