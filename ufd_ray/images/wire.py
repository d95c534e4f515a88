"""What passes between the process that needs pixels and the one that decodes.

Plain numbers and bytes, never pickles: a decoder that a stranger's file has taken over may lie
about that file, but must not be able to run anything in, or exhaust, the process that listens.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ufd_ray.errors import DecodeError, ErrorCode
from ufd_ray.images.aligning import Alignment
from ufd_ray.images.decoding import FORMATS
from ufd_ray.images.forms import FORM, Form
from ufd_ray.images.pixel_recipe import BY_RECIPE, ByRecipe
from ufd_ray.images.traits import WORDS, FileTraits, traits_bytes, traits_of
from ufd_ray.images.view_draws import Split
from ufd_ray.images.views import Views

if TYPE_CHECKING:
    from ufd_ray.settings import PreprocessMode  # brings pydantic, which no decoder needs

READY = b"ready"
"""The decoding process's first word, once it has bounded itself."""


@dataclass(frozen=True)
class Request:
    """One file, and what is to be cut out of it.

    Attributes:
        data: the file's bytes.
        mode: the encoder's preprocessing.
        size: the encoder's input side, pixels.
        max_pixels: larger images are not decoded.
        views: augmented views that are wanted as well; None: none.
        alignment: what the file is made into before all that; None: it stays as it is.
        with_traits: what its header says of it is wanted as well.
        forms: in which it is wanted as well, instead of views; at most 255.
        by_recipe: how its pixels are made, of `size`, instead of by `mode`; None: by that.
    """

    data: bytes
    mode: PreprocessMode
    size: int
    max_pixels: int
    views: Views | None = None
    alignment: Alignment | None = None
    with_traits: bool = False
    forms: tuple[Form, ...] = ()
    by_recipe: ByRecipe | None = None

    @property
    def num_views(self) -> int:
        """How many augmented views, or other forms, are wanted."""
        return self.views.num if self.views else len(self.forms)

    @property
    def num_traits(self) -> int:
        """Of how many files traits are wanted: of the one that came, and of what it became."""
        return self.with_traits * (2 if self.alignment else 1)


@dataclass(frozen=True)
class Decoded:
    """What came of a file: `pixels`, or `error`, or neither where there were no bytes.

    Attributes:
        format: one of `FORMATS`; this and the next two also beside an error, if it came late.
        width: as stored, pixels.
        height: as stored, pixels.
        pixels: uint8 (size, size, 3), RGB, as bytes.
        error: why there are none.
        view_pixels: uint8 (views, size, size, 3), likewise, or other forms; None: none were wanted.
        traits: of the file; then, where it was aligned, of what it became; empty: none were wanted.
    """

    format: str | None = None
    width: int | None = None
    height: int | None = None
    pixels: bytes | None = None
    error: DecodeError | None = None
    view_pixels: bytes | None = None
    traits: tuple[FileTraits, ...] = ()


Receive = Callable[[int], bytes]
"""Gives exactly so many bytes, or raises."""

_MODES: tuple[PreprocessMode, ...] = ("crop", "resize")
_SPLITS: tuple[Split, ...] = ("train", "val")
# What a decoding process may say of a file; that it hangs or is dead, nobody says of himself.
_CODES = (
    ErrorCode.EMPTY,
    ErrorCode.UNSUPPORTED,
    ErrorCode.CORRUPT,
    ErrorCode.TRUNCATED,
    ErrorCode.TOO_MANY_PIXELS,
    ErrorCode.CRASHED,
    ErrorCode.TOO_SMALL,
)
# Mode, size, max_pixels; views, their split and key; size (0: none) and quality to align to;
# whether traits are wanted; other forms; whether there is a recipe; bytes of the file. The forms
# follow, the recipe, and then the file.
_REQUEST = struct.Struct("<BIQBB32sIBBBBQ")
# Format and error, each counted from 1, 0 for none; width, height; bytes of the message that
# follows. Then come the traits that were wanted, the pixels, and those of the views that were
# wanted, exactly where there is no error: their number needs no telling.
_ANSWER = struct.Struct("<BBiiH")
_MESSAGE_BYTES = 2000


def request_header(request: Request) -> bytes:
    """What precedes the file's bytes on their way to the decoder."""
    views, alignment = request.views, request.alignment
    header = _REQUEST.pack(
        _MODES.index(request.mode),
        request.size,
        request.max_pixels,
        views.num if views else 0,
        _SPLITS.index(views.split) if views else 0,
        views.key if views else b"",
        alignment.size if alignment else 0,
        alignment.quality if alignment else 0,
        request.with_traits,
        len(request.forms),
        request.by_recipe is not None,
        len(request.data),
    )
    recipe = request.by_recipe.to_bytes() if request.by_recipe else b""
    return b"".join((header, *(form.to_bytes() for form in request.forms), recipe))


def read_request(receive: Receive) -> Request:
    """Take a request with its file; the sender is trusted."""
    header = _REQUEST.unpack(receive(_REQUEST.size))
    mode, size, max_pixels, num_views, split, key, side, quality, *rest = header
    with_traits, num_forms, with_recipe, num_bytes = rest
    views = Views(num_views, _SPLITS[split], key) if num_views else None
    alignment = Alignment(side, quality) if side else None
    forms = tuple(Form.from_bytes(receive(FORM.size)) for _ in range(num_forms))
    recipe = ByRecipe.from_bytes(receive(BY_RECIPE.size)) if with_recipe else None
    data = receive(num_bytes)
    how = (views, alignment, bool(with_traits), forms, recipe)
    return Request(data, _MODES[mode], size, max_pixels, *how)


def answer_bytes(answer: Decoded) -> bytes:
    """An answer with its pixels, for the way back."""
    message = answer.error.message if answer.error else ""
    text = message.encode(errors="replace")[:_MESSAGE_BYTES].decode(errors="ignore").encode()
    header = _ANSWER.pack(
        1 + FORMATS.index(answer.format) if answer.format else 0,
        1 + _CODES.index(answer.error.code) if answer.error else 0,
        answer.width or 0,
        answer.height or 0,
        len(text),
    )
    traits = map(traits_bytes, answer.traits)
    return b"".join((header, text, *traits, answer.pixels or b"", answer.view_pixels or b""))


def read_answer(receive: Receive, size: int, num_views: int = 0, num_traits: int = 0) -> Decoded:
    """Take an answer from a decoder that is not trusted.

    Args:
        receive: where it comes from.
        size: what the request said.
        num_views: likewise.
        num_traits: likewise.

    Raises:
        ValueError: it is none that the request could have had.
    """
    kind, code, width, height, num_bytes = _ANSWER.unpack(receive(_ANSWER.size))
    if kind > len(FORMATS) or code > len(_CODES) or num_bytes > _MESSAGE_BYTES:
        raise ValueError("unknown words")
    if not (kind or code) or bool(code) != bool(num_bytes):
        raise ValueError("neither pixels nor an error with its reason")
    if (min(width, height) < 1) if kind else (width, height) != (0, 0):
        raise ValueError("impossible sides")
    facts = Decoded(FORMATS[kind - 1], width, height) if kind else Decoded()
    if code:
        error = DecodeError(_CODES[code - 1], receive(num_bytes).decode())
        return replace(facts, error=error)
    traits = tuple(traits_of(receive(WORDS.size)) for _ in range(num_traits))
    pixels = receive(3 * size**2)
    views = receive(num_views * 3 * size**2) if num_views else None
    return replace(facts, pixels=pixels, view_pixels=views, traits=traits)
