"""Strangers' names as they stand in a figure: on one line, short, in letters that the font has."""

from __future__ import annotations

from functools import cache

LONGEST = 28
"""Letters of a name in a panel's title or a legend."""
_MISSING = "\N{REPLACEMENT CHARACTER}"


def shown(name: str, longest: int = LONGEST) -> str:
    """The name with one space where it has any, cut in the middle where it is too long.

    Args:
        name: a test set's or a detector's, anything at all.
        longest: letters that there is room for, 3 at least.
    """
    letters = _letters()
    line = " ".join(name.split())
    line = "".join(letter if ord(letter) in letters else _MISSING for letter in line)
    if len(line) <= longest:
        return line
    tail = (longest - 1) // 2
    return f"{line[: longest - 1 - tail]}…{line[len(line) - tail :]}"


@cache
def _letters() -> frozenset[int]:
    """Code points that the figures' font draws; those that steer a line's direction are not."""
    from matplotlib.font_manager import findfont, get_font

    drawn = get_font(findfont("DejaVu Sans")).get_charmap()
    return frozenset(point for point in drawn if chr(point).isprintable())
