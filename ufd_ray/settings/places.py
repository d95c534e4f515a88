"""Where things lie, and what runs are called."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from ufd_ray.redaction import find_secret


def is_a_place(place: str) -> str:
    """The place itself, if it is one.

    Raises:
        ValueError: it is empty, or has a secret in it.
    """
    if not place:
        raise ValueError("empty; expected a path or URI")
    if secret := find_secret(place):
        raise ValueError(f"{secret} in a URI ends up in records; give it to the environment")
    return place


# Not `min_length`, for which pydantic wants UTF-8: a path may be any bytes.
Place = Annotated[str, AfterValidator(is_a_place)]
"""A path or URI without credentials. Never empty: an unset shell variable is no place."""

RUN_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
"""A run's name is one plain folder name, whatever the storage."""

RunId = Annotated[str, Field(pattern=RUN_NAME)]
