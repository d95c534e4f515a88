"""`shard-{00000..00127}.tar` → the names that it stands for, as shells and WebDataset write it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ufd_ray.errors import SettingsError

_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


def expand_ranges(name: str) -> Iterator[str]:
    """The names that ranges in braces stand for, in order; a name without any is itself.

    Numbers are as wide as the wider end, where an end is written with leading zeros.

    Raises:
        SettingsError: a range that ends before it begins.
    """
    match = _RANGE.search(name)
    if match is None:
        yield name
        return
    first, last = match.groups()
    if int(last) < int(first):
        raise SettingsError(f"--input {name}: the range {match[0]} ends before it begins")
    padded = any(end != str(int(end)) for end in (first, last))
    width = max(len(first), len(last)) if padded else 0
    for number in range(int(first), int(last) + 1):
        yield from expand_ranges(f"{name[: match.start()]}{number:0{width}}{name[match.end() :]}")
