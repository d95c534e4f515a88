"""Any mode → 8-bit RGB: what `to_rgb` promises, sample by sample."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from tests.unit.images.samples import encoded, noise, picture, png, tiff
from ufd_ray.images import decode
from ufd_ray.images.decoding import to_rgb

MAX_PIXELS = 1_000_000


def rgb(data: bytes) -> npt.NDArray[np.uint8]:
    image = to_rgb(decode(data, max_pixels=MAX_PIXELS))
    assert image.mode == "RGB"
    return np.asarray(image)


def grey(samples: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.repeat(samples[..., None], 3, axis=-1)


def test_all_65536_grey_levels_of_a_png_keep_their_upper_byte() -> None:
    levels = np.arange(2**16, dtype=np.uint16).reshape(256, 256)
    expected = grey((levels >> 8).astype(np.uint8))
    assert np.array_equal(rgb(encoded(Image.fromarray(levels), "PNG")), expected)


@pytest.mark.parametrize("byte_order", ["<", ">"])
def test_all_65536_grey_levels_of_a_tiff_keep_their_upper_byte(byte_order: str) -> None:
    levels = np.arange(2**16, dtype=np.uint16).reshape(256, 256)
    expected = grey((levels >> 8).astype(np.uint8))
    assert np.array_equal(rgb(tiff(levels, byte_order=byte_order)), expected)


@pytest.mark.parametrize(("color_type", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_16_bit_colours_and_alpha_keep_their_upper_bytes(color_type: int, channels: int) -> None:
    samples = np.random.default_rng(1).integers(0, 2**16, (5, 7, channels), dtype=np.uint16)
    data = png(7, 5, bit_depth=16, color_type=color_type, rows=samples.astype(">u2").tobytes())
    upper = (samples >> 8).astype(np.uint8)
    expected = upper[..., :3] if channels > 2 else grey(upper[..., 0])
    assert np.array_equal(rgb(data), expected)


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("WEBP", {"exact": True})])
def test_alpha_is_dropped_not_blended(kind: str, options: dict[str, bool]) -> None:
    image = picture(mode="RGBA")
    lossless = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(image, kind, **lossless, **options)
    assert np.array_equal(rgb(data), np.asarray(image)[..., :3])


def test_grey_with_alpha() -> None:
    image = picture(mode="LA")
    assert np.array_equal(rgb(encoded(image, "PNG")), grey(np.asarray(image)[..., 0]))


@pytest.mark.parametrize("transparency", [None, 7, bytes(range(256)), bytes([0, 0, 0])])
def test_a_palette_is_resolved_whatever_is_transparent(transparency: int | bytes | None) -> None:
    image = picture(mode="P")
    options = {} if transparency is None else {"transparency": transparency}
    data = encoded(image, "PNG", **options)
    colors = np.array(image.getpalette(), np.uint8).reshape(-1, 3)
    assert np.array_equal(rgb(data), colors[np.asarray(image)])


def test_transparent_colours_without_a_palette_stay_what_they_are() -> None:
    level = picture(mode="L")
    assert np.array_equal(rgb(encoded(level, "PNG", transparency=7)), grey(np.asarray(level)))
    color = picture()
    data = encoded(color, "PNG", transparency=(1, 2, 3))
    assert np.array_equal(rgb(data), np.asarray(color))


def test_one_bit_is_black_and_white() -> None:
    image = picture(mode="1")
    expected = grey(np.asarray(image).astype(np.uint8) * 255)
    for kind in ("PNG", "TIFF", "BMP"):
        assert np.array_equal(rgb(encoded(image, kind)), expected)


def test_2_and_4_bit_greys_are_stretched() -> None:
    two = png(4, 1, bit_depth=2, color_type=0, rows=bytes([0b00011011]))
    assert rgb(two)[0, :, 0].tolist() == [0, 85, 170, 255]
    four = png(4, 1, bit_depth=4, color_type=0, rows=bytes([0x01, 0xEF]))
    assert rgb(four)[0, :, 0].tolist() == [0, 17, 238, 255]


def solid_cmyk(cmyk: tuple[int, int, int, int]) -> bytes:
    return encoded(Image.new("CMYK", (16, 16), cmyk), "JPEG", quality=100, subsampling=0)


def test_a_cmyk_jpeg() -> None:
    data = solid_cmyk((200, 100, 50, 0))
    assert decode(data, max_pixels=MAX_PIXELS).mode == "CMYK"
    assert np.abs(rgb(data).astype(int) - (55, 155, 205)).max() <= 3


def test_a_ycck_jpeg() -> None:
    # The same four planes, declared as YCbCr and black in Adobe's marker. Stored are Y = 150,
    # Cb = 90, Cr = 200, K = 255: R, G, B = 251, 112, 83 by JFIF's formulae, no black. What they
    # come to in Adobe's inverted CMYK is ink: 255 less each.
    data = bytearray(solid_cmyk((255 - 150, 255 - 90, 255 - 200, 0)))
    transform = data.index(b"Adobe") + 11
    assert data[transform] == 0
    data[transform] = 2
    assert decode(bytes(data), max_pixels=MAX_PIXELS).mode == "CMYK"
    y, cb, cr = 150, 90 - 128, 200 - 128
    expected = np.array([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb])
    assert np.abs(rgb(bytes(data)) - (255 - expected)).max() <= 3


def test_rgb_is_not_copied() -> None:
    image = Image.fromarray(noise(8, 8))
    assert to_rgb(image) is image
