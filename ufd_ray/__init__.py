"""Tells, for millions of images, which were made by a generative model."""

from importlib import import_module
from typing import Any

from ufd_ray._version import __version__

__all__ = ["__version__", "load_detector"]


def __getattr__(name: str) -> Any:
    # When it is asked for: torch takes seconds to import, and most of the package does without.
    if name == "load_detector":
        return import_module("ufd_ray.notebook").load_detector
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
