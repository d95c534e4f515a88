"""Several places, each under a name that tables call it by: NAME=URI."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ufd_ray.settings.places import RUN_NAME, is_a_place


def is_named(given: str) -> str:
    """The words themselves, if they are NAME=URI.

    Raises:
        ValueError: they are not, or the URI has a secret in it.
    """
    name, equals, place = given.partition("=")
    if not equals or not re.match(RUN_NAME, name):
        raise ValueError("expected NAME=URI, the name of letters, digits, '.', '_' and '-'")
    is_a_place(place)
    return given


def each_name_once(given: list[str], said: str) -> list[str]:
    """The words themselves, if no two have one name.

    Args:
        given: NAME=URI each.
        said: where two have one, `{}` in the place of the name.

    Raises:
        ValueError: two have.
    """
    names = [one.partition("=")[0] for one in given]
    if again := {name for name in names if names.count(name) > 1}:
        raise ValueError(said.format(min(again)))
    return given


def places_by_name(given: Sequence[str]) -> dict[str, str]:
    """Name → path or URI, in the order given."""
    pairs = (one.partition("=") for one in given)
    return {name: place for name, _, place in pairs}
