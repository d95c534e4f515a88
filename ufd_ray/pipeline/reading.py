"""Stages on CPUs: manifest rows → bytes → pixels. Functions of one Arrow table, each row kept."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ufd_ray.errors import DecodeError, ImageError
from ufd_ray.images import decode, to_pixels
from ufd_ray.pipeline.progress import timed
from ufd_ray.schema import IMAGE, STATUS
from ufd_ray.settings import PreprocessMode
from ufd_ray.storage import FetchLimits, Known, StorageOptions, fetch

_TYPES = {field.name: field.type for field in (*IMAGE, *STATUS)}
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
        rows = _put(rows, name, [getattr(f.known, name) for f in fetched])
    rows = _put_errors(rows, [f.error for f in fetched])
    hashes = [None if f.data is None else hashlib.sha256(f.data).hexdigest() for f in fetched]
    rows = _put(rows, "content_hash", hashes)
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
    errors: list[ImageError | None] = []
    formats: list[str | None] = []
    sizes: list[tuple[int | None, int | None]] = []
    pixels: list[bytes | None] = []
    with timed(tally, "decode", len(rows)):
        for data in rows["data"]:
            kind: str | None = None
            sides: tuple[int | None, int | None] = (None, None)
            cut: bytes | None = None
            error: ImageError | None = None
            if data.is_valid:
                try:
                    image = decode(data.as_py(), max_pixels=max_pixels)
                    kind, sides = image.format, image.size
                    cut = to_pixels(image, mode=mode, size=size).tobytes()
                except DecodeError as problem:
                    error = problem
            formats.append(kind)
            sizes.append(sides)
            pixels.append(cut)
            errors.append(error)
    rows = _put_errors(rows, errors)
    rows = _put(rows, "format", formats)
    rows = _put(rows, "width", [width for width, _ in sizes])
    rows = _put(rows, "height", [height for _, height in sizes])
    rows = rows.drop_columns(["data"])
    return rows.append_column("pixels", pa.array(pixels, pa.large_binary()))


def pixel_batch(column: Any, size: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """The pixels of the rows that have some.

    Returns:
        uint8 (m, size, size, 3), and a mask (n,) that says which of the n rows these m are.
    """
    valid = np.asarray(column.is_valid())
    data = b"".join(column.filter(pa.array(valid)).to_pylist())
    return np.frombuffer(data, np.uint8).reshape(-1, size, size, 3), valid


def _put_errors(rows: Any, errors: list[Any]) -> Any:
    # An error that a row has already stays: it is the first thing that went wrong.
    if "error_code" in rows.column_names:
        before = zip(rows["error_code"].to_pylist(), rows["error_message"].to_pylist(), strict=True)
    else:
        before = zip([None] * len(errors), [None] * len(errors), strict=True)
    now = [
        (error.code.value, _one_line(error.message)) if error is not None else earlier
        for error, earlier in zip(errors, before, strict=True)
    ]
    rows = _put(rows, "error_code", [code for code, _ in now])
    return _put(rows, "error_message", [message for _, message in now])


def _one_line(message: str) -> str:
    # Messages quote names and bytes of strangers: no line breaks, nothing that is not UTF-8.
    return " ".join(message.encode("utf-8", "backslashreplace").decode().split())[:500]


def _put(rows: Any, name: str, values: list[Any]) -> Any:
    column = pa.array(values, _TYPES[name])
    if name in rows.column_names:
        return rows.set_column(rows.column_names.index(name), name, column)
    return rows.append_column(pa.field(name, _TYPES[name]), column)
