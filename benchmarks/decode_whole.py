"""The decoding process as it would be with Pillow as it comes: every row of every image."""

from __future__ import annotations

import sys
from dataclasses import replace

from ufd_ray.errors import DecodeError
from ufd_ray.images import Decoded, decode, to_pixels
from ufd_ray.images.child import serve
from ufd_ray.images.wire import Request

DECODER = (
    # The memory of each image is given back to the system, as the GNU C library does by default.
    *("env", "-u", "MALLOC_TRIM_THRESHOLD_", "-u", "MALLOC_MMAP_THRESHOLD_"),
    *(sys.executable, "-P", "-m", "decode_whole"),
)
"""Its command, for scripts of this folder."""


def decode_whole(request: Request) -> Decoded:
    """Decode a file and cut out what the encoder sees."""
    try:
        image = decode(request.data, max_pixels=request.max_pixels)
    except DecodeError as error:
        return Decoded(error=error)
    facts = Decoded(image.format, image.width, image.height)
    pixels = to_pixels(image, mode=request.mode, size=request.size)
    return replace(facts, pixels=pixels.tobytes())


if __name__ == "__main__":
    serve(decode_whole, int(sys.argv[1]), float(sys.argv[2]))
