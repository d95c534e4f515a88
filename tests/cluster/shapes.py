"""How a file of maps and lists has to look, and where one does not.

A map has exactly the shape's keys and a list exactly its items: what is not expected is as much a
fault as what is missing. So whoever changes such a file says so in its shape too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

Shape = Any
"""A map or list of shapes, a type, a `range` of whole numbers, a pattern, or the value itself."""


def find_misfits(shape: Shape, value: Any, path: str = "") -> Iterator[str]:
    """A line for everything in `value` that is not as the shape has it, with the way to it."""
    match shape:
        case dict() if isinstance(value, dict):
            below = f"{path}." if path else ""
            for name in (name for name in shape if name not in value):
                yield f"{below}{name}: is missing"
            for name in value:
                if name in shape:
                    yield from find_misfits(shape[name], value[name], f"{below}{name}")
                else:
                    yield f"{below}{name}: is not expected"
        case list() if isinstance(value, list):
            if len(value) != len(shape):
                yield f"{path}: expected {len(shape)} items, got {len(value)}: {value}"
                return
            for number, (one, found) in enumerate(zip(shape, value, strict=True)):
                yield from find_misfits(one, found, f"{path}[{number}]")
        case _ if not _fits(shape, value):
            yield f"{path}: expected {_in_words(shape)}, got {value!r}"


def _fits(shape: Shape, value: Any) -> bool:
    match shape:
        case dict() | list():
            return False
        case type():
            return type(value) is shape
        case range():
            return type(value) is int and value in shape
        case re.Pattern():
            return isinstance(value, str) and shape.fullmatch(value) is not None
        case _:  # true is no 1 here
            return type(value) is type(shape) and bool(value == shape)


def _in_words(shape: Shape) -> str:
    match shape:
        case dict() | list():
            return "a map" if isinstance(shape, dict) else "a list"
        case type():
            return shape.__name__
        case re.Pattern():
            return f"a text like {shape.pattern}"
        case _:
            return repr(shape)
