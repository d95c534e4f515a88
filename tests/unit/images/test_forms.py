"""Forms against the same done by hand to whole images, and through the process that decodes."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import functional as transforms

from tests.unit.images.samples import encoded, noise, picture
from tests.unit.images.test_blurring import as_released, slope
from ufd_ray.errors import DecodeError, ErrorCode
from ufd_ray.images import DecodeLimits, Form, Sandbox, decode, to_pixels
from ufd_ray.images.forms import FORM, make_forms
from ufd_ray.settings import PreprocessMode

FORMS = (Form(quality=100), Form(quality=30), Form(sigma=1), Form(sigma=4), Form(sigma=9))
BOTH = Form(sigma=4, quality=50)
SIZE = 40


def by_hand(
    image: Image.Image, form: Form, mode: PreprocessMode, size: int
) -> npt.NDArray[np.uint8]:
    """The whole image, every step."""
    whole = image.convert("RGB")
    if form.sigma:
        whole = Image.fromarray(as_released(np.asarray(whole), form.sigma))
    if form.quality:
        file = io.BytesIO()
        whole.save(file, "JPEG", quality=form.quality)
        whole = Image.open(file)
    if (form.mode or mode) == "resize":
        short = min(whole.size)
        sides = tuple(int(size * side / short) for side in whole.size)
        whole = whole.resize((sides[0], sides[1]), Image.Resampling.BICUBIC)
    return np.asarray(transforms.center_crop(whole, size))


@pytest.mark.parametrize(
    "sides", [(200, 170), (171, 93), (40, 40), (300, 25), (17, 90), (9, 5), (121, 333)]
)
@pytest.mark.parametrize("mode", ["crop", "resize"])
def test_forms_are_those_of_whole_images_done_by_hand(
    sides: tuple[int, int], mode: PreprocessMode
) -> None:
    for image in (picture(*sides), Image.fromarray(slope(sides[1], sides[0]))):
        made = make_forms(image, (*FORMS, BOTH), mode=mode, size=SIZE)
        assert made.shape == (len(FORMS) + 1, SIZE, SIZE, 3)
        assert made.dtype == np.uint8
        for one, form in zip(made, (*FORMS, BOTH), strict=True):
            assert np.array_equal(one, by_hand(image, form, mode, SIZE)), form


@given(st.integers(1, 150), st.integers(1, 150), st.integers(1, 20), st.integers(1, 100))
def test_around_the_crop_is_as_good_as_the_whole(
    width: int, height: int, sigma: int, quality: int
) -> None:
    image = Image.fromarray(noise(width, height, seed=sigma))
    for form in (Form(sigma=sigma, quality=quality), Form(quality=quality), Form(sigma=sigma)):
        (made,) = make_forms(image, [form], mode="crop", size=24)
        assert np.array_equal(made, by_hand(image, form, "crop", 24))


@pytest.mark.parametrize(("mode", "other"), [("crop", "resize"), ("resize", "crop")])
def test_the_other_preprocessing_is_that_of_the_other_mode(
    mode: PreprocessMode, other: PreprocessMode
) -> None:
    image = picture(171, 93)
    (made,) = make_forms(image, [Form(mode=other)], mode=mode, size=SIZE)
    assert np.array_equal(made, to_pixels(image, mode=other, size=SIZE))
    assert not np.array_equal(made, to_pixels(image, mode=mode, size=SIZE))


@pytest.mark.parametrize("mode", ["crop", "resize"])
def test_a_file_is_decoded_once_for_all_its_forms(mode: PreprocessMode) -> None:
    # Large enough that for a crop alone only a part of the JPEG would be decoded.
    data = encoded(picture(700, 500), "JPEG", quality=90)
    image = decode(data, max_pixels=10**6)
    forms = (Form(quality=60), Form(sigma=2))
    with Sandbox(DecodeLimits()) as sandbox:
        (plain,) = sandbox.decode([data], mode, SIZE)
        swept, broken = sandbox.decode([data, data[:300]], mode, SIZE, forms=forms)
    assert (swept.pixels, swept.error) == (plain.pixels, None)
    expected = make_forms(image, forms, mode=mode, size=SIZE)
    assert swept.view_pixels == expected.tobytes()
    assert broken.error is not None
    assert (broken.pixels, broken.view_pixels) == (None, None)


def test_a_side_too_long_for_a_jpeg_is_told() -> None:
    image = Image.new("L", (66_000, 4))
    with pytest.raises(DecodeError, match="no side of a JPEG may have more") as refused:
        make_forms(image, [Form(quality=90)], mode="resize", size=4)
    assert refused.value.code == ErrorCode.TOO_MANY_PIXELS
    # Of a crop only what lies around it is compressed.
    assert make_forms(image, [Form(quality=90)], mode="crop", size=4).shape == (1, 4, 4, 3)


@given(
    st.none() | st.integers(1, 255),
    st.none() | st.integers(1, 100),
    st.sampled_from([None, "crop", "resize"]),
)
def test_a_form_arrives(sigma: int | None, quality: int | None, mode: PreprocessMode) -> None:
    form = Form(sigma, quality, mode)
    assert len(form.to_bytes()) == FORM.size
    assert Form.from_bytes(form.to_bytes()) == form
