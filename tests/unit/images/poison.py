"""Whole, valid files on which the real decoder hangs, or outgrows a small bound on its memory."""

from __future__ import annotations

import struct

from tests.unit.images.samples import png


def endless_jpeg() -> bytes:
    """A JPEG of 1.6 MB on which a core works for about a minute, in less than 100 MB.

    16 megapixels, progressive, in 50,000 scans: a few bytes each, for they all say that there is
    nothing to add, but for each the decoder goes over all of its 250,000 blocks.
    """
    side, num_scans = 4000, 50_000
    table = _segment(0xDB, b"\0" + b"\1" * 64)
    frame = _segment(0xC2, struct.pack(">BHHBBBB", 8, side, side, 1, 1, 0x11, 0))
    # One code, a single 0 bit: 2^14 blocks without coefficients, and so many more as 14 bits say.
    codes = _segment(0xC4, bytes([0x10, 1, *[0] * 15, 0xE0]))
    num_runs = -(-((side // 8) ** 2) // (2**15 - 1))
    bits = ("0" + "1" * 14) * num_runs
    bits += "1" * (-len(bits) % 8)
    runs = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    scan = _segment(0xDA, bytes([1, 1, 0, 1, 63, 0])) + runs
    return b"\xff\xd8" + table + frame + codes + scan * num_scans + b"\xff\xd9"


def large_png() -> bytes:
    """A black PNG of 40 megapixels in 120 KB, for which a decoder needs about 280 MiB."""
    width, height = 8000, 5000
    return png(width, height, bit_depth=8, color_type=2, rows=bytes(3 * width * height))


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content
