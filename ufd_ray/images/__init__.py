"""Bytes → pixels."""

from ufd_ray.images.cropping import PreprocessMode, to_pixels
from ufd_ray.images.decoding import FORMATS, decode

__all__ = ["FORMATS", "PreprocessMode", "decode", "to_pixels"]
