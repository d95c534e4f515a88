"""Bytes → pixels."""

from ufd_ray.images.aligning import Alignment
from ufd_ray.images.cropping import to_pixels
from ufd_ray.images.decoding import FORMATS, decode
from ufd_ray.images.forms import Form
from ufd_ray.images.pixel_recipe import ByRecipe, PixelRecipe, make_by_recipe
from ufd_ray.images.sandbox import DecodeLimits, Sandbox, shared_sandbox
from ufd_ray.images.spectra import SpectrumSums
from ufd_ray.images.traits import SAMPLINGS, FileTraits
from ufd_ray.images.view_draws import view_key
from ufd_ray.images.views import Views
from ufd_ray.images.wire import Decoded

__all__ = [
    "FORMATS",
    "SAMPLINGS",
    "Alignment",
    "ByRecipe",
    "DecodeLimits",
    "Decoded",
    "FileTraits",
    "Form",
    "PixelRecipe",
    "Sandbox",
    "SpectrumSums",
    "Views",
    "decode",
    "make_by_recipe",
    "shared_sandbox",
    "to_pixels",
    "view_key",
]
