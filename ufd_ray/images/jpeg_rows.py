"""A JPEG's upper rows: the same file but for its declared height, so that decoders stop there.

Entropy-coded data runs from the top to the bottom, so the upper rows never hang on the lower ones.
What comes behind the last row that is declared, decoders of libjpeg's kind skip up to the next
marker: in a progressive file at the end of each scan.
"""

from __future__ import annotations

import re
import struct
from typing import NamedTuple

_START, _END = b"\xff\xd8", b"\xff\xd9"
_BASELINE, _EXTENDED, _PROGRESSIVE = 0xC0, 0xC1, 0xC2  # Huffman-coded; T.81, table B.1
_SCAN = 0xDA
_OTHERS = {0xC4, 0xDB, 0xDD, 0xFE, *range(0xE0, 0xF0)}  # tables, restart interval, comment, APPn
# Ends the data of a scan: any marker but a restart. A zero byte makes an ordinary byte of 0xFF.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7]")
_MAX_SEGMENTS = 1000  # photographs have some dozens

# What a row of units is made of besides itself, in rows of units below it. One: colours that are
# stored coarsely are interpolated. Two more: of a progressive file that lacks its last scans,
# libjpeg-turbo smooths blocks by those two away.
_CONTEXT = {_BASELINE: 1, _EXTENDED: 1, _PROGRESSIVE: 3}


class UpperRows(NamedTuple):
    """Two files made of one.

    Attributes:
        file: the upper rows, perhaps some more than asked for.
        markers: one row of units without any entropy-coded data: whatever is wrong with the whole
            file's tables, frame or scans is wrong with this one's, and told at little cost.
    """

    file: bytes
    markers: bytes


class _Frame(NamedTuple):
    """What the frame header says.

    Attributes:
        at: where in the file the height stands.
        height: rows of the image.
        rows_a_unit: rows of pixels that are coded together (8 times the largest sampling factor).
        context: rows of units that one depends on below itself.
    """

    at: int
    height: int
    rows_a_unit: int
    context: int


def upper_rows(data: bytes, num_rows: int) -> UpperRows | None:
    """Make the file of a JPEG's upper rows.

    Its first `num_rows` rows decode to the same pixels as those of the whole file. That one is
    sound as far as a decoder that only warns of bad entropy-coded data would tell, if its
    `markers` are: every segment is there, up to the end's.

    Args:
        data: a JPEG file.
        num_rows: how many rows are wanted, at least 1.

    Returns:
        None where nothing would be saved, or where the file is not one that is understood here:
        arithmetic or lossless coding, more than 8 bits, more than one frame, rubbish between its
        segments, no end.
    """
    walked = _walk(data)
    if walked is None:
        return None
    frame, segments = walked
    num_units = -(-num_rows // frame.rows_a_unit) + frame.context
    height = num_units * frame.rows_a_unit
    if height >= frame.height:
        return None
    markers = b"".join(data[start:end] for start, end in segments) + _END
    return UpperRows(_of_height(data, frame, height), _of_height(markers, frame, frame.rows_a_unit))


def _of_height(data: bytes, frame: _Frame, height: int) -> bytes:
    return b"".join((data[: frame.at], struct.pack(">H", height), data[frame.at + 2 :]))


def _walk(data: bytes) -> tuple[_Frame, list[tuple[int, int]]] | None:
    """Go over all segments, from the start's marker to the end's: where does each lie?"""
    if not data.startswith(_START):
        return None
    frame, at = None, len(_START)
    segments = [(0, at)]
    for _ in range(_MAX_SEGMENTS):
        if data.startswith(_END, at):
            return None if frame is None else (frame, segments)
        if len(data) < at + 4 or data[at] != 0xFF:
            return None
        kind, end = data[at + 1], at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if end < at + 4:
            return None
        segments.append((at, end))
        if kind in _CONTEXT and frame is None:
            frame = _read_frame(kind, at + 4, data[at + 4 : end])
            if frame is None:
                return None
        elif kind == _SCAN and frame is not None:
            found = _MARKER.search(data, end)
            if found is None:
                return None
            end = found.start()
        elif kind not in _OTHERS:
            return None
        at = end
    return None


def _read_frame(kind: int, at: int, content: bytes) -> _Frame | None:
    """Read a frame header: precision, height, width, components of three bytes each."""
    if len(content) < 9 or len(content) != 6 + 3 * content[5] or content[0] != 8:
        return None
    height = int.from_bytes(content[1:3], "big")
    rows_a_unit = 8 * max(factors & 15 for factors in content[7::3])
    return _Frame(at + 1, height, rows_a_unit, _CONTEXT[kind]) if rows_a_unit else None
