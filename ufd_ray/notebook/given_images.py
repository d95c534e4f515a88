"""Images in whatever form a person has them at hand → the pixels that an encoder sees."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ufd_ray.errors import DecodeError, ErrorCode, ImageError
from ufd_ray.images import Decoded, DecodeLimits, shared_sandbox, to_pixels
from ufd_ray.settings import PreprocessMode
from ufd_ray.storage import FetchLimits, Known, StorageOptions, fetch


@dataclass(frozen=True)
class GivenImage:
    """What became of an image on its way to pixels.

    Attributes:
        uri: its name; None: it has none.
        content_hash: SHA-256 of its file's bytes, hex; None: there was no file.
        decoded: its pixels, if it came so far.
        error: why it has none.
    """

    uri: str | None = None
    content_hash: str | None = None
    decoded: Decoded = field(default_factory=Decoded)
    error: ImageError | None = None

    @property
    def pixels(self) -> bytes | None:
        """uint8 (size, size, 3), RGB, as bytes; None where there is an error."""
        return self.decoded.pixels


def read_given(
    images: Sequence[Any],
    mode: PreprocessMode,
    size: int,
    storage: StorageOptions,
    fetch_limits: FetchLimits,
    decode_limits: DecodeLimits,
) -> list[GivenImage]:
    """Read images; files go the way that they go in a run.

    Args:
        images: paths, URIs, bytes of files, PIL images, uint8 arrays, mixed.
        mode: the encoder's preprocessing.
        size: the encoder's input side, pixels.
        storage: how storage is reached.
        fetch_limits: bounds of fetching.
        decode_limits: bounds of decoding.

    Returns:
        One result an image, in order. Never an exception for one of them.
    """
    uris = {row: _text(image) for row, image in enumerate(images) if _is_named(image)}
    data = {row: bytes(image) for row, image in enumerate(images) if _is_bytes(image)}
    errors: dict[int, ImageError] = {}
    if uris:
        # In a thread of its own: a notebook has an event loop running in this one.
        with ThreadPoolExecutor(1, thread_name_prefix="fetch") as thread:
            known = [Known(uri) for uri in uris.values()]
            fetched = thread.submit(fetch, known, storage, fetch_limits).result()
        for row, result in zip(uris, fetched, strict=True):
            if result.error is not None:
                errors[row] = result.error
            elif result.data is not None:
                data[row] = result.data
    decoded = shared_sandbox(decode_limits).decode(data.values(), mode, size)
    found = dict(zip(data, decoded, strict=True))
    for row, image in enumerate(images):
        if row not in found:
            found[row] = Decoded() if row in errors else _from_memory(image, mode, size)
    return [
        GivenImage(
            uris.get(row),
            hashlib.sha256(data[row]).hexdigest() if row in data else None,
            found[row],
            errors.get(row) or found[row].error,
        )
        for row in range(len(images))
    ]


def is_one_image(images: Any) -> bool:
    """Whether this is one image rather than several."""
    array = isinstance(images, np.ndarray) and images.ndim < 4 and images.dtype != object
    return _is_named(images) or _is_bytes(images) or isinstance(images, Image.Image) or array


def _from_memory(image: Any, mode: PreprocessMode, size: int) -> Decoded:
    """Pixels of what is decoded already, or will be by Pillow itself."""
    try:
        if isinstance(image, np.ndarray):
            image = _from_array(image)
        if not isinstance(image, Image.Image):
            raise DecodeError(
                ErrorCode.UNSUPPORTED,
                f"a {type(image).__name__}; expected a path, a URI, bytes, a PIL image or an array",
            )
        pixels = to_pixels(image, mode=mode, size=size)
        return Decoded(image.format, image.width, image.height, pixels.tobytes())
    except DecodeError as error:
        return Decoded(error=error)
    except Exception as error:  # noqa: BLE001 (Pillow decodes when it is asked for pixels)
        return Decoded(error=DecodeError(ErrorCode.CORRUPT, str(error) or type(error).__name__))


def _from_array(array: npt.NDArray[Any]) -> Image.Image:
    channels = array.shape[2:]
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or channels not in ((), (3,), (4,)):
        raise DecodeError(
            ErrorCode.UNSUPPORTED,
            f"an array of {array.dtype} {array.shape}; expected uint8 (height, width) or (height,"
            " width, 3 or 4)",
        )
    if 0 in array.shape:
        raise DecodeError(ErrorCode.EMPTY, f"an array of shape {array.shape}")
    return Image.fromarray(array)


def _is_named(image: Any) -> bool:
    return isinstance(image, str | os.PathLike)


def _is_bytes(image: Any) -> bool:
    return isinstance(image, bytes | bytearray | memoryview)


def _text(image: str | os.PathLike[str]) -> str:
    # A name that is not UTF-8 has no place in a column of text.
    return str(image).encode("utf-8", "backslashreplace").decode()
