"""What headers say of files of every kind, of hostile ones, and of aligned ones."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from tests.unit.images.samples import encoded, every_kind, picture
from ufd_ray.errors import DecodeError
from ufd_ray.images import FORMATS, Alignment, DecodeLimits, FileTraits, Sandbox
from ufd_ray.images.child import decode_file
from ufd_ray.images.traits import WORDS, read_traits, traits_bytes, traits_of
from ufd_ray.images.wire import Request

KINDS = every_kind()
ICC = b"\0" * 128
EXIF = Image.Exif()
EXIF[271] = "a camera"


def traits(data: bytes) -> FileTraits:
    return read_traits(data, max_pixels=10**6)


def aligned(data: bytes, size: int = 16, quality: int = 90) -> FileTraits:
    request = Request(data, "crop", 24, 10**6, None, Alignment(size, quality), True)
    done = decode_file(request)
    assert done.error is None, done.error
    assert done.pixels is not None
    assert len(done.pixels) == 3 * 24**2
    return done.traits[1]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_traits(kind: str) -> None:
    found = traits(KINDS[kind])
    image = Image.open(io.BytesIO(KINDS[kind]))
    is_jpeg = kind == "mpo" or kind.startswith("jpeg")
    assert found.format == ("JPEG" if is_jpeg else image.format)
    assert (found.width, found.height, found.num_bytes) == (*image.size, len(KINDS[kind]))
    assert (found.quality, found.tables > 0) == ((75, True) if is_jpeg else (0, False))
    assert found.is_progressive == (kind == "jpeg-progressive")
    assert traits_of(traits_bytes(found)) == found


@pytest.mark.parametrize("quality", [1, 10, 49, 50, 51, 75, 90, 95, 99, 100])
def test_the_quality_is_the_one_that_it_was_saved_at(quality: int) -> None:
    assert traits(encoded(picture(), "JPEG", quality=quality)).quality == quality


@pytest.mark.parametrize(("sampling", "place"), [("4:4:4", 1), ("4:2:2", 2), ("4:2:0", 3)])
def test_how_colours_are_sampled(sampling: str, place: int) -> None:
    assert traits(encoded(picture(), "JPEG", subsampling=sampling)).sampling == place


@pytest.mark.parametrize(
    ("kind", "options", "there"),
    [
        *((kind, {}, "") for kind in ("JPEG", "PNG", "WEBP")),
        *((kind, {"exif": EXIF}, "has_exif") for kind in ("JPEG", "PNG", "WEBP", "AVIF")),
        *((kind, {"icc_profile": ICC}, "has_icc") for kind in ("JPEG", "PNG", "WEBP", "TIFF")),
        *((kind, {"xmp": b"<x/>"}, "has_xmp") for kind in ("JPEG", "WEBP", "AVIF")),
        ("JPEG", {"comment": b"hello"}, "has_others"),
        ("GIF", {"comment": b"hello"}, "has_others"),
        ("JPEG", {"extra": b"\xff\xeb\0\x08C2PA\0\0"}, "has_others"),
    ],
)
def test_metadata_is_seen(kind: str, options: dict[str, object], there: str) -> None:
    found = traits(encoded(picture(), kind, **options))
    names = ("has_exif", "has_icc", "has_xmp", "has_others")
    assert [name for name in names if getattr(found, name)] == [there] * bool(there)


def test_a_generators_words_in_a_png_are_metadata() -> None:
    words = PngImagePlugin.PngInfo()
    words.add_text("parameters", "a cat, steps: 20")
    assert traits(encoded(picture(), "PNG", pnginfo=words)).has_others


def test_aligned_files_differ_in_nothing_but_their_bytes() -> None:
    cut = {kind: aligned(data, size=15) for kind, data in KINDS.items()}
    words = PngImagePlugin.PngInfo()
    words.add_text("parameters", "a cat")
    odd = encoded(picture(90, 70), "PNG", pnginfo=words, exif=EXIF, icc_profile=ICC)
    photo = encoded(picture(33, 44), "JPEG", quality=30, exif=EXIF, icc_profile=ICC, comment=b"c")
    cut |= {"odd": aligned(odd, size=15), "photo": aligned(photo, size=15)}
    (alike,) = {traits_bytes(found)[:12] + traits_bytes(found)[20:] for found in cut.values()}
    assert alike
    found, plain = cut["odd"], ("has_exif", "has_icc", "has_xmp", "has_others")
    assert (found.format, found.quality, found.width, found.height) == ("JPEG", 90, 15, 15)
    assert not any(getattr(found, name) for name in plain)


def test_what_is_seen_is_the_crop_after_its_compression() -> None:
    image = picture(50, 40)
    options = {"quality": 60, "subsampling": "4:2:0"}
    again = encoded(image.crop((17, 12, 33, 28)), "JPEG", **options)
    request = Request(encoded(image, "PNG"), "crop", 16, 10**6, None, Alignment(16, 60), True)
    done = decode_file(request)
    assert done.pixels == Image.open(io.BytesIO(again)).convert("RGB").tobytes()
    assert (done.format, done.width, done.height) == ("PNG", 50, 40)
    assert done.traits[1].num_bytes == len(again)
    assert decode_file(request) == done


def test_what_is_too_small_says_so() -> None:
    data = encoded(picture(30, 15), "PNG")
    done = decode_file(Request(data, "crop", 16, 10**6, None, Alignment(16, 95), True))
    assert done.error is not None
    assert done.error.code == "too_small"
    assert "30×15 pixels, fewer than the 16×16" in done.error.message
    assert (done.width, done.pixels, done.traits) == (30, None, ())


def test_both_come_out_of_the_sandbox() -> None:
    with Sandbox(DecodeLimits()) as sandbox:
        files = [KINDS["png"], b"no image", KINDS["jpeg"]]
        (png, bad, jpeg) = sandbox.decode(
            files, "crop", 24, alignment=Alignment(12, 80), with_traits=True
        )
        (plain,) = sandbox.decode([KINDS["png"]], "crop", 24)
    assert [t.format for t in (*png.traits, *jpeg.traits)] == ["PNG", "JPEG", "JPEG", "JPEG"]
    assert png.traits[0] == traits(KINDS["png"])
    assert bad.error is not None
    assert (bad.traits, plain.traits) == ((), ())


@given(st.sampled_from(sorted(KINDS)), st.data())
def test_hostile_headers_are_read_or_refused(kind: str, draw: st.DataObject) -> None:
    data = bytearray(KINDS[kind])
    for _ in range(draw.draw(st.integers(1, 4))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    try:
        found = traits(bytes(data[: draw.draw(st.integers(0, len(data)))]))
    except DecodeError:
        return
    assert traits_of(traits_bytes(found)) == found


@pytest.mark.parametrize(
    "lie",
    [
        (len(FORMATS), 0, 0, 0, 1, 1, 1, 0),
        (0, 4, 0, 0, 1, 1, 1, 0),
        (0, 0, 101, 0, 1, 1, 1, 0),
        (0, 0, 0, 32, 1, 1, 1, 0),
        (0, 0, 0, 0, 0, 1, 1, 0),
        (0, 0, 0, 0, 1, 2**31, 1, 0),
        (0, 0, 0, 0, 1, 1, 0, 0),
        (0, 0, 0, 0, 1, 1, 2**63, 0),
    ],
)
def test_a_decoder_that_lies_about_traits_is_not_believed(lie: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="traits"):
        traits_of(struct.pack(WORDS.format, *lie))
