"""A crop's decoding against the whole file's: the same pixels, or the same error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.unit.images.jpegs import END, last_scan_at, varieties
from tests.unit.images.samples import encoded, every_kind, noise
from tests.unit.images.test_hostile import MUTATION, mutated
from ufd_ray.errors import DecodeError, ErrorCode
from ufd_ray.images import crop_decoding, decode, to_pixels
from ufd_ray.images.child import decode_file
from ufd_ray.images.jpeg_library import jpeg_library, jpeg_part
from ufd_ray.images.wire import Decoded, Request

MAX_PIXELS = 1_000_000
KINDS, VARIETIES = every_kind(), varieties()
SIZES = (1, 24, 65, 340)


needs_the_library = pytest.mark.skipif(
    jpeg_library() is None, reason="this Pillow is linked to no libjpeg-turbo of its own"
)


@pytest.fixture(autouse=True, scope="module")
def parts() -> Iterator[list[bool]]:
    """What was decoded in part, one entry a file: whether that went well."""
    made: list[bool] = []

    def noting(*given: Any) -> object:
        part = jpeg_part(*given)
        made.append(part is not None)
        return part

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crop_decoding, "WORTHWHILE_PIXELS", 1)
        patch.setattr(crop_decoding, "jpeg_part", noting)
        yield made


def by_the_whole(data: bytes, size: int) -> tuple[object, ...]:
    try:
        image = decode(data, max_pixels=MAX_PIXELS)
    except DecodeError as error:
        return error.code, error.message
    pixels = to_pixels(image, mode="crop", size=size).tobytes()
    return image.format, image.width, image.height, pixels


def as_it_is_done(data: bytes, size: int) -> tuple[object, ...]:
    done = decode_file(Request(data, "crop", size, MAX_PIXELS))
    if done.error is not None:
        return done.error.code, done.error.message
    return done.format, done.width, done.height, done.pixels


@needs_the_library
@pytest.mark.parametrize("name", VARIETIES)
def test_every_varietys_crop_is_the_wholes(name: str, parts: list[bool]) -> None:
    parts.clear()
    for size in SIZES:
        assert as_it_is_done(VARIETIES[name], size) == by_the_whole(VARIETIES[name], size)
    # The whole was not compared with itself, but where a crop shows all or there are four colours.
    assert parts == [True] * (0 if "cmyk" in name or name == "ycck" else len(SIZES) - 1)


@pytest.mark.parametrize("name", KINDS)
def test_every_kinds_crop_is_the_wholes(name: str) -> None:
    assert as_it_is_done(KINDS[name], 8) == by_the_whole(KINDS[name], 8)


@given(
    name=st.sampled_from(sorted(VARIETIES)),
    mutations=st.lists(MUTATION, min_size=1, max_size=4),
    size=st.sampled_from(SIZES),
    is_ended=st.booleans(),
)
@settings(max_examples=120)
def test_a_damaged_files_crop_or_error_is_the_wholes(
    name: str, mutations: list[tuple[int, bool, int, bytes]], size: int, is_ended: bool
) -> None:
    data = mutated(VARIETIES[name], mutations)
    if is_ended:
        data += END
    assert as_it_is_done(data, size) == by_the_whole(data, size)


@pytest.mark.parametrize("name", ["4:2:0", "progressive 4:2:0", "restarts", "grey"])
@pytest.mark.parametrize("share", [0.1, 0.4, 0.7, 0.95])
def test_a_file_that_ends_early_is_truncated_wherever_it_ends(name: str, share: float) -> None:
    whole = VARIETIES[name]
    start = last_scan_at(whole) + 12
    cut = whole[: start + int(share * (len(whole) - start))]
    code, _ = as_it_is_done(cut, 16)
    assert code == ErrorCode.TRUNCATED
    # With an end put behind it, libjpeg makes the rest grey, and Pillow takes it.
    assert as_it_is_done(cut + END, 16) == by_the_whole(cut + END, 16)


@needs_the_library
def test_small_images_are_decoded_whole(parts: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(Image.fromarray(noise(100, 300)), "JPEG")
    for worthwhile, expected in ((30_000, [True]), (30_001, [])):
        parts.clear()
        monkeypatch.setattr(crop_decoding, "WORTHWHILE_PIXELS", worthwhile)
        assert as_it_is_done(data, 24) == by_the_whole(data, 24)
        assert parts == expected


@pytest.mark.parametrize("missing", ["jpeg_library", "jpeg_part"])
def test_without_the_library_or_its_word_the_whole_decides(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crop_decoding, missing, lambda *_: None)
    assert as_it_is_done(VARIETIES["4:2:0"], 24) == by_the_whole(VARIETIES["4:2:0"], 24)


def test_what_would_end_the_process_never_reaches_the_library(parts: list[bool]) -> None:
    data = VARIETIES["4:2:0"]
    table = data.index(b"\xff\xc4") + 5  # how many codes there are of each length
    parts.clear()
    code, _ = as_it_is_done(data[:table] + b"\xff\xff" + data[table + 2 :], 24)
    assert code == ErrorCode.CORRUPT
    assert parts == []


def test_a_resize_and_views_see_the_whole() -> None:
    data = VARIETIES["4:2:0"]
    resized = decode_file(Request(data, "resize", 24, MAX_PIXELS))
    expected = to_pixels(decode(data, max_pixels=MAX_PIXELS), mode="resize", size=24)
    assert np.array_equal(np.frombuffer(resized.pixels or b"", np.uint8), expected.ravel())


def test_the_bound_on_pixels_is_on_the_whole_image() -> None:
    data = encoded(Image.fromarray(noise(100, 300)), "JPEG")
    refused = decode_file(Request(data, "crop", 24, 29_999))
    assert isinstance(refused, Decoded)
    assert refused.error is not None
    assert refused.error.code == ErrorCode.TOO_MANY_PIXELS
