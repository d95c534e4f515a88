"""Settings that may be given several times."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator

T = TypeVar("T")


def _one_is_a_list_of_one(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Several = Annotated[list[T], BeforeValidator(_one_is_a_list_of_one)]
"""A repeatable flag; in a `--config` file a list, or a single text for a list of one."""
