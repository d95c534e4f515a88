"""Parts of JPEGs, by the very libjpeg-turbo that Pillow decodes whole ones with.

Pillow has no call for a part of an image; the library has (`libjpeg.txt`, "Partial image
decompression"): rows and columns that are not wanted are read, but no pixels are made of them.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, byref, c_char_p, c_int, c_uint, c_ulong, c_void_p
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import _imaging

_VERSION = 62  # of the interface; how large its own structure is then, on 64 bits
_STRUCT_BYTES = 632
# At the edges of a part the library interpolates colours as at the edges of an image, and smooths
# progressive files that lack scans. So far it reaches: three blocks of eight pixels, of colours
# that are stored four times as coarsely.
_MARGIN = 96


class _Errors(ctypes.Structure):
    """`jpeg_error_mgr` of jpeglib.h."""

    _fields_ = (
        ("on_error", c_void_p),
        ("on_message", c_void_p),
        ("output", c_void_p),
        ("format", c_void_p),
        ("reset", c_void_p),
        ("rest", ctypes.c_byte * 1024),
    )


class _Decoder(ctypes.Structure):
    """`jpeg_decompress_struct`: what is looked at, and room for the rest of any version's."""

    _fields_ = (
        ("errors", POINTER(_Errors)),
        ("before", ctypes.c_byte * 128),
        ("output_width", c_uint),
        ("output_height", c_uint),
        ("out_color_components", c_int),
        ("output_components", c_int),
        ("rest", ctypes.c_byte * 2048),
    )


@cache
def jpeg_library() -> ctypes.CDLL | None:
    """The libjpeg-turbo that Pillow has loaded; None where it is built in, or another version's."""
    library = ctypes.CDLL(_imaging.__file__)  # names are looked up in what that is linked to
    try:
        library.jpeg_std_error.restype = POINTER(_Errors)
        library.jpeg_skip_scanlines.argtypes = (c_void_p, c_uint)
        library.jpeg_skip_scanlines.restype = c_uint
        library.jpeg_read_scanlines.argtypes = (c_void_p, c_void_p, c_uint)
        library.jpeg_read_scanlines.restype = c_uint
        library.jpeg_crop_scanline.argtypes = (c_void_p, POINTER(c_uint), POINTER(c_uint))
        library.jpeg_mem_src.argtypes = (c_void_p, c_char_p, c_ulong)
        library.jpeg_CreateDecompress.argtypes = (c_void_p, c_int, ctypes.c_size_t)
    except AttributeError:
        return None
    return library if _fits(library) else None


def _fits(library: ctypes.CDLL) -> bool:
    """Whether the library takes its structure for as large as we do: it compares the two itself."""
    told: list[int] = []
    on_error = ctypes.CFUNCTYPE(None, c_void_p)(lambda _: told.append(1))
    errors, decoder = _Errors(), _Decoder()
    decoder.errors = library.jpeg_std_error(byref(errors))
    errors.on_error = ctypes.cast(on_error, c_void_p)
    library.jpeg_CreateDecompress(byref(decoder), _VERSION, _STRUCT_BYTES)
    library.jpeg_destroy_decompress(byref(decoder))
    return not told


def jpeg_part(
    library: ctypes.CDLL,
    data: bytes,
    box: tuple[int, int, int, int],
    image_width: int,
    bands: int,
) -> npt.NDArray[np.uint8] | None:
    """Decode a part of a JPEG to the pixels that the whole one has there.

    Where the library meets an error it ends the process: markers must be known to be sound. It
    warns of bad entropy-coded data, and makes of them what Pillow shows.

    Args:
        library: from `jpeg_library`.
        data: the file, grey or of three colours.
        box: left, top, right and bottom of the part, pixels.
        image_width: pixels.
        bands: 1 for grey, 3 for RGB.

    Returns:
        uint8 (height, width[, 3]) of the part; None where the library takes the image's sides or
        colours for others.
    """
    left, top, right, bottom = box
    errors, decoder = _Errors(), _Decoder()
    decoder.errors = library.jpeg_std_error(byref(errors))
    errors.on_message = errors.reset  # which says nothing: Pillow does not heed warnings either
    library.jpeg_CreateDecompress(byref(decoder), _VERSION, _STRUCT_BYTES)
    try:
        library.jpeg_mem_src(byref(decoder), data, len(data))
        library.jpeg_read_header(byref(decoder), 1)
        library.jpeg_start_decompress(byref(decoder))
        made = decoder.output_width, decoder.output_components
        if made != (image_width, bands) or decoder.output_height < bottom:
            return None
        first = c_uint(max(0, left - _MARGIN))
        count = c_uint(min(image_width, right + _MARGIN) - first.value)
        library.jpeg_crop_scanline(byref(decoder), byref(first), byref(count))  # to whole blocks
        first_row = max(0, top - _MARGIN)
        if first_row:
            library.jpeg_skip_scanlines(byref(decoder), first_row)
        rows = np.empty((bottom - first_row, count.value, bands), np.uint8)
        starts = (rows.ctypes.data + rows.strides[0] * np.arange(len(rows))).astype(np.uintp)
        for at in range(len(rows)):  # it makes one at a time, however many are asked for
            library.jpeg_read_scanlines(byref(decoder), starts.ctypes.data + 8 * at, 1)
        part = rows[top - first_row :, left - first.value : right - first.value]
        return part[..., 0] if bands == 1 else part
    finally:
        library.jpeg_destroy_decompress(byref(decoder))
