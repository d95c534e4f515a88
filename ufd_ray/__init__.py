"""Tells, for millions of images, which were made by a generative model."""

from ufd_ray._version import __version__

__all__ = ["__version__"]
