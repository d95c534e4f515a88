from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from tests.unit.images.samples import chunk, encoded, every_kind, noise, picture, png, tiff
from ufd_ray.errors import DecodeError, ErrorCode
from ufd_ray.images import FORMATS, decode, to_pixels

MAX_PIXELS = 1_000_000
LOSSLESS = {"PNG": {}, "WEBP": {"lossless": True}, "BMP": {}, "TIFF": {}}


def code_of(data: bytes, max_pixels: int = MAX_PIXELS) -> ErrorCode:
    with pytest.raises(DecodeError) as caught:
        to_pixels(decode(data, max_pixels=max_pixels), mode="crop", size=24)
    assert caught.value.message
    return caught.value.code


def decoded_or_code(data: bytes) -> Image.Image | ErrorCode:
    try:
        return decode(data, max_pixels=MAX_PIXELS)
    except DecodeError as error:
        return error.code


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_decoded(kind: str) -> None:
    flat = Image.new("RGB", (37, 21), (200, 120, 40))
    image = decode(encoded(flat, kind), max_pixels=MAX_PIXELS)
    assert (image.format, image.size) == (kind, (37, 21))
    pixels = to_pixels(image, mode="crop", size=16)
    assert np.abs(pixels.astype(int) - (200, 120, 40)).max() <= 4


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_formats_keep_every_bit(kind: str) -> None:
    original = picture(40, 30)
    image = decode(encoded(original, kind, **LOSSLESS[kind]), max_pixels=MAX_PIXELS)
    assert np.array_equal(np.asarray(image), np.asarray(original))


@pytest.mark.parametrize("name", every_kind())
def test_every_sample_becomes_pixels(name: str) -> None:
    image = decode(every_kind()[name], max_pixels=MAX_PIXELS)
    assert image.format in FORMATS
    assert image.size == (20, 15)
    assert to_pixels(image, mode="crop", size=24).any()
    assert to_pixels(image, mode="resize", size=24).all(axis=-1).any()


def test_several_jpegs_in_one_file_are_a_jpeg() -> None:
    first, second = picture(seed=0), picture(seed=1)
    data = encoded(first, "MPO", save_all=True, append_images=[second], quality=100)
    assert Image.open(io.BytesIO(data)).format == "MPO"
    image = decode(data, max_pixels=MAX_PIXELS)
    assert image.format == "JPEG"
    alone = decode(encoded(first, "JPEG", quality=100), max_pixels=MAX_PIXELS)
    assert np.array_equal(np.asarray(image), np.asarray(alone))


@pytest.mark.parametrize(("kind", "options"), [("GIF", {}), ("WEBP", {"lossless": True})])
def test_an_animation_is_its_first_frame(kind: str, options: dict[str, bool]) -> None:
    colors = [(250, 0, 0), (0, 250, 0), (0, 0, 250)]
    frames = [Image.new("RGB", (30, 30), color) for color in colors]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    pixels = to_pixels(decode(data, max_pixels=MAX_PIXELS), mode="crop", size=30)
    assert np.unique(pixels.reshape(-1, 3), axis=0).tolist() == [[250, 0, 0]]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_exif_orientation_is_left_alone(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    plain = decode(encoded(picture(), kind), max_pixels=MAX_PIXELS)
    turned = decode(encoded(picture(), kind, exif=exif), max_pixels=MAX_PIXELS)
    assert turned.getexif()[0x0112] == orientation  # it is there, and was not followed
    assert np.array_equal(np.asarray(turned), np.asarray(plain))


def test_a_tiffs_own_orientation_is_followed() -> None:
    samples = noise(4, 3, channels=1)
    image = decode(tiff(samples, tags={274: 6}), max_pixels=MAX_PIXELS)
    assert image.size == (3, 4)
    assert np.array_equal(np.asarray(image), np.rot90(samples, -1))


def test_no_bytes_are_empty() -> None:
    assert code_of(b"") == ErrorCode.EMPTY


@pytest.mark.parametrize(
    "data",
    [
        b"this was no photograph.jpg",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7\n",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
        b"P6 2 2 255\n" + bytes(12),
        b"\0",
        b"\0" * 1000,
    ],
)
def test_what_is_no_image_of_ours_is_unsupported(data: bytes) -> None:
    assert code_of(data) == ErrorCode.UNSUPPORTED


@pytest.mark.parametrize("kind", ["PPM", "TGA", "ICO", "JPEG2000", "PCX", "SGI", "DDS", "QOI"])
def test_pillows_other_loaders_see_nothing(kind: str) -> None:
    data = encoded(picture(32, 32), kind)
    with pytest.raises(DecodeError, match="not an image that is read here"):
        decode(data, max_pixels=MAX_PIXELS)
    assert code_of(data) == ErrorCode.UNSUPPORTED


@pytest.mark.parametrize("byte_order", ["<", ">"])
@pytest.mark.parametrize("dtype", ["i2", "u4", "i4", "f2", "f4", "f8"])
def test_signed_and_32_bit_samples_are_unsupported(dtype: str, byte_order: str) -> None:
    samples = np.arange(12).reshape(3, 4).astype(dtype)
    assert code_of(tiff(samples, byte_order=byte_order)) == ErrorCode.UNSUPPORTED


@pytest.mark.parametrize("kind", FORMATS)
def test_the_first_two_thirds_of_a_file_are_truncated_or_corrupt(kind: str) -> None:
    data = encoded(picture(160, 120), kind)
    # AVIF keeps its index at the end, so that without it nothing at all can be told.
    cut = len(data) - 50 if kind == "AVIF" else 2 * len(data) // 3
    assert code_of(data[:cut]) == ErrorCode.TRUNCATED


@pytest.mark.parametrize("kind", FORMATS)
def test_every_beginning_of_a_file_has_its_word(kind: str) -> None:
    data = encoded(picture(24, 18), kind)
    whole = np.asarray(decode(data, max_pixels=MAX_PIXELS).convert("RGB"))
    for length in range(1, len(data)):
        outcome = decoded_or_code(data[:length])
        if isinstance(outcome, Image.Image):  # only an end mark was missing
            assert len(data) - length <= 20
            assert np.array_equal(np.asarray(outcome.convert("RGB")), whole)
        elif length >= 16:
            assert outcome in {ErrorCode.CORRUPT, ErrorCode.TRUNCATED}
        else:
            assert outcome in {ErrorCode.UNSUPPORTED, ErrorCode.CORRUPT, ErrorCode.TRUNCATED}


@pytest.mark.parametrize("kind", FORMATS)
def test_a_signature_with_rubbish_behind_it_is_a_broken_image(kind: str) -> None:
    rubbish = np.random.default_rng(3).bytes(5000)
    data = encoded(picture(), kind)[:16] + rubbish
    broken = {ErrorCode.CORRUPT, ErrorCode.TRUNCATED}
    if kind == "GIF":  # chance may make its frame larger than its screen, and so the image
        broken.add(ErrorCode.TOO_MANY_PIXELS)
    assert code_of(data) in broken


def test_what_pillow_only_warns_of_is_taken() -> None:
    no_frames = chunk(b"acTL", bytes(8))
    data = png(2, 2, bit_depth=8, color_type=2, rows=bytes(range(12)), before_data=no_frames)
    with pytest.warns(UserWarning, match="Invalid APNG"):
        Image.open(io.BytesIO(data))
    image = decode(data, max_pixels=MAX_PIXELS)
    assert np.asarray(image).tobytes() == bytes(range(12))


def test_garbled_pixels_are_corrupt() -> None:
    data = bytearray(encoded(picture(), "PNG"))
    start = data.index(b"IDAT") + 10
    data[start : start + 400] = bytes(400)
    assert code_of(bytes(data)) == ErrorCode.CORRUPT


@pytest.mark.parametrize("before_data", [b"", chunk(b"tRNS", b"\xff\0")])
def test_indices_without_a_palette_are_corrupt(before_data: bytes) -> None:
    # Pillow decodes them, and what it makes of them hangs on how they are converted.
    data = png(4, 4, bit_depth=8, color_type=3, rows=bytes(16), before_data=before_data)
    assert code_of(data) == ErrorCode.CORRUPT


@pytest.mark.parametrize("sides", [(1, 1), (1, 700), (700, 1), (30_000, 10)])
def test_unusual_sides(sides: tuple[int, int]) -> None:
    for kind in ("PNG", "JPEG"):
        image = decode(encoded(picture(*sides), kind), max_pixels=MAX_PIXELS)
        assert image.size == sides
        assert to_pixels(image, mode="crop", size=224).any()


def test_the_bound_on_pixels_is_inclusive() -> None:
    data = encoded(picture(20, 15), "PNG")
    assert decode(data, max_pixels=300).size == (20, 15)
    assert code_of(data, max_pixels=299) == ErrorCode.TOO_MANY_PIXELS
    with pytest.raises(DecodeError, match=r"20×15 pixels.*299.*--max-pixels"):
        decode(data, max_pixels=299)
