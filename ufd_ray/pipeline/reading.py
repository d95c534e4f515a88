"""Stages on CPUs: manifest rows → bytes → pixels. Functions of one Arrow table, each row kept."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from ufd_ray.errors import DecodeError
from ufd_ray.images import decode, to_pixels
from ufd_ray.pipeline.progress import timed
from ufd_ray.pipeline.rows import put, put_errors
from ufd_ray.settings import PreprocessMode
from ufd_ray.storage import FetchLimits, Known, StorageOptions, fetch

_KNOWN = ("etag", "size_bytes", "last_modified")


def fetch_images(
    rows: Any, *, storage: StorageOptions, limits: FetchLimits, tally: Any = None
) -> Any:
    """Read the objects of a batch.

    Args:
        rows: `pa.Table` with the manifest's columns.
        storage: how storage is reached.
        limits: bounds of fetching.
        tally: where times are reported; None: nowhere.

    Returns:
        The same rows with `data` (null where it failed), `error_code`, `error_message`,
        `content_hash` (SHA-256 of the bytes, hex), and what is now known of the objects.
    """
    with timed(tally, "fetch", len(rows)):
        known = [Known(**row) for row in rows.select(["uri", *_KNOWN]).to_pylist()]
        fetched = fetch(known, storage, limits)
    for name in _KNOWN:
        rows = put(rows, name, [getattr(f.known, name) for f in fetched])
    rows = put_errors(rows, [f.error for f in fetched])
    hashes = [None if f.data is None else hashlib.sha256(f.data).hexdigest() for f in fetched]
    rows = put(rows, "content_hash", hashes)
    return rows.append_column("data", pa.array([f.data for f in fetched], pa.large_binary()))


def decode_images(
    rows: Any, *, mode: PreprocessMode, size: int, max_pixels: int, tally: Any = None
) -> Any:
    """Decode a batch and cut out what the encoder sees.

    Args:
        rows: `pa.Table` from `fetch_images`.
        mode: the encoder's preprocessing.
        size: the encoder's input side, pixels.
        max_pixels: larger images are not decoded.
        tally: where times are reported; None: nowhere.

    Returns:
        The same rows without `data`, with `format`, `width`, `height` and `pixels`: uint8
        (size, size, 3) as bytes, null where there is an error.
    """
    with timed(tally, "decode", len(rows)):
        decoded = [_decode(data.as_py(), mode, size, max_pixels) for data in rows["data"]]
    rows = put_errors(rows, [d.error for d in decoded])
    for name in ("format", "width", "height"):
        rows = put(rows, name, [getattr(d, name) for d in decoded])
    rows = rows.drop_columns(["data"])
    return rows.append_column("pixels", pa.array([d.pixels for d in decoded], pa.large_binary()))


@dataclass(frozen=True)
class _Decoded:
    format: str | None = None
    width: int | None = None
    height: int | None = None
    pixels: bytes | None = None
    error: DecodeError | None = None


def _decode(data: bytes | None, mode: PreprocessMode, size: int, max_pixels: int) -> _Decoded:
    if data is None:
        return _Decoded()
    try:
        image = decode(data, max_pixels=max_pixels)
    except DecodeError as error:
        return _Decoded(error=error)
    facts = _Decoded(image.format, image.width, image.height)
    try:
        return replace(facts, pixels=to_pixels(image, mode=mode, size=size).tobytes())
    except DecodeError as error:
        return replace(facts, error=error)
