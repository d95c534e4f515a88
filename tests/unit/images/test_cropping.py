from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

from tests.unit.images.samples import lab, picture
from ufd_ray.errors import DecodeError, ErrorCode
from ufd_ray.images import to_pixels
from ufd_ray.images.cropping import MAX_RESIZED_PIXELS, crop_window
from ufd_ray.settings import PreprocessMode

MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB")
SIDES = st.integers(1, 600)


def in_mode(width: int, height: int, mode: str) -> Image.Image:
    return lab(picture(width, height)) if mode == "LAB" else picture(width, height, mode)


@given(width=SIDES, height=SIDES, size=st.sampled_from([1, 2, 7, 223, 224, 299, 336]))
@settings(max_examples=150)
def test_centre_crop_is_torchvisions(width: int, height: int, size: int) -> None:
    image = picture(width, height)
    pixels = to_pixels(image, mode="crop", size=size)
    assert pixels.shape == (size, size, 3)
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, np.asarray(CenterCrop(size)(image)))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("sides", [(301, 225), (224, 600), (223, 17), (100, 229), (5, 4)])
def test_centre_crop_in_every_mode_is_torchvisions_of_the_converted(
    mode: str, sides: tuple[int, int]
) -> None:
    image = in_mode(*sides, mode)
    expected = CenterCrop(224)(image.convert("RGB"))
    assert np.array_equal(to_pixels(image, mode="crop", size=224), np.asarray(expected))


@given(width=st.integers(9, 400), height=st.integers(9, 400), size=st.sampled_from([17, 64, 224]))
@settings(max_examples=60)
def test_resize_is_torchvisions(width: int, height: int, size: int) -> None:
    image = picture(width, height)
    clip = Compose([Resize(size, InterpolationMode.BICUBIC), CenterCrop(size)])
    pixels = to_pixels(image, mode="resize", size=size)
    assert np.array_equal(pixels, np.asarray(clip(image)))


@pytest.mark.parametrize("mode", MODES)
def test_resize_in_every_mode_is_torchvisions_of_the_converted(mode: str) -> None:
    image = in_mode(301, 97, mode)
    clip = Compose([Resize(64, InterpolationMode.BICUBIC), CenterCrop(64)])
    assert np.array_equal(
        to_pixels(image, mode="resize", size=64), np.asarray(clip(image.convert("RGB")))
    )


@pytest.mark.parametrize(
    ("side", "size", "window"),
    [
        (224, 224, (0, 224, 0)),
        (225, 224, (0, 224, 0)),  # half a pixel goes to the even neighbour
        (227, 224, (2, 224, 0)),
        (229, 224, (2, 224, 0)),
        (231, 224, (4, 224, 0)),
        (30_000, 224, (14_888, 224, 0)),
        (1, 224, (0, 1, 111)),
        (223, 224, (0, 223, 0)),
        (221, 224, (0, 221, 1)),
    ],
)
def test_windows_by_hand(side: int, size: int, window: tuple[int, int, int]) -> None:
    assert crop_window(side, size) == window


@given(side=st.integers(1, 10**6), size=st.integers(1, 1000))
def test_a_window_lies_in_both_image_and_crop(side: int, size: int) -> None:
    first, count, offset = crop_window(side, size)
    assert count == min(side, size)
    assert 0 <= first <= side - count
    assert 0 <= offset <= size - count


@pytest.mark.parametrize("sides", [(30_000, 10), (10, 30_000)])
def test_a_strip_is_cropped_but_not_blown_up(sides: tuple[int, int]) -> None:
    strip = picture(*sides)
    pixels = to_pixels(strip, mode="crop", size=224)
    assert np.array_equal(pixels, np.asarray(CenterCrop(224)(strip)))
    with pytest.raises(DecodeError, match=f"more than the allowed {MAX_RESIZED_PIXELS}") as caught:
        to_pixels(strip, mode="resize", size=224)
    assert caught.value.code == ErrorCode.TOO_MANY_PIXELS


def test_the_bound_on_resized_images_is_on_their_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    strip = picture(64, 8)
    monkeypatch.setattr("ufd_ray.images.cropping.MAX_RESIZED_PIXELS", 16 * 16 * 8)
    assert to_pixels(strip, mode="resize", size=16).shape == (16, 16, 3)
    monkeypatch.setattr("ufd_ray.images.cropping.MAX_RESIZED_PIXELS", 16 * 16 * 8 - 1)
    with pytest.raises(DecodeError):
        to_pixels(strip, mode="resize", size=16)


@pytest.mark.parametrize("mode", ["crop", "resize"])
def test_one_pixel(mode: PreprocessMode) -> None:
    pixels = to_pixels(Image.new("RGB", (1, 1), (10, 20, 30)), mode=mode, size=224)
    lit = pixels.reshape(-1, 3)[pixels.reshape(-1, 3).any(axis=1)]
    assert np.unique(lit, axis=0).tolist() == [[10, 20, 30]]
    assert len(lit) == (1 if mode == "crop" else 224 * 224)
