"""Bytes → pixels."""

from ufd_ray.images.cropping import to_pixels
from ufd_ray.images.decoding import FORMATS, decode

__all__ = ["FORMATS", "decode", "to_pixels"]
