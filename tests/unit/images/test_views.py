"""Views against the whole transform done by other people's code, on whole images."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as transforms

from tests.unit.images.samples import encoded, every_kind, picture
from tests.unit.images.test_blurring import as_released, slope
from ufd_ray.errors import DecodeError, ErrorCode
from ufd_ray.images import Decoded, DecodeLimits, Sandbox, Views, decode, to_pixels, view_key
from ufd_ray.images.view_draws import ViewDraws, draw_view
from ufd_ray.images.views import apply_draws, make_views

KEY = view_key("ab" * 32, 3)


def by_others(image: Image.Image, drawn: ViewDraws, size: int) -> npt.NDArray[np.uint8]:
    """Every step on the whole image."""
    short = round(size * 256 / 224)
    resized = transforms.resize(image.convert("RGB"), short, InterpolationMode.BILINEAR)
    pixels = np.array(resized)
    if drawn.sigma is not None:
        pixels = as_released(pixels, drawn.sigma)
    whole = Image.fromarray(pixels)
    if drawn.quality is not None:
        file = io.BytesIO()
        whole.save(file, "JPEG", quality=drawn.quality)
        whole = Image.open(file)
    if drawn.place is None:
        cut = transforms.center_crop(whole, size)
    else:
        left = int(drawn.place[0] * (whole.width - size + 1))
        top = int(drawn.place[1] * (whole.height - size + 1))
        cut = transforms.crop(whole, top, left, size, size)
    return np.asarray(transforms.hflip(cut) if drawn.is_flipped else cut)


@pytest.mark.parametrize("split", ["train", "val"])
@pytest.mark.parametrize("sides", [(341, 256), (97, 640), (256, 256), (1900, 130), (40, 31)])
def test_views_are_those_of_the_whole_transform(sides: tuple[int, int], split: str) -> None:
    for image in (picture(*sides), Image.fromarray(slope(sides[1], sides[0]))):
        views = make_views(image, Views(8, split, KEY), 224)  # type: ignore[arg-type]
        assert views.shape == (8, 224, 224, 3)
        for number, view in enumerate(views, 1):
            drawn = draw_view(KEY, number, split)  # type: ignore[arg-type]
            assert np.array_equal(view, by_others(image, drawn, 224)), drawn


@pytest.mark.parametrize("size", [24, 240, 336])
def test_views_of_other_sizes_are_resized_in_proportion(size: int) -> None:
    image = picture(500, 300)
    for number, view in enumerate(make_views(image, Views(4, "train", KEY), size), 1):
        assert np.array_equal(view, by_others(image, draw_view(KEY, number, "train"), size))


def test_blur_and_jpeg_around_the_crop_are_those_of_the_whole_image_everywhere() -> None:
    resized = np.asarray(picture(64 * 7, 64 * 3))
    whole = Image.fromarray(as_released(resized, 3.0))
    file = io.BytesIO()
    whole.save(file, "JPEG", quality=30)
    expected = np.asarray(Image.open(file))
    size = 40
    down, right = len(resized) - size + 1, resized.shape[1] - size + 1
    for top in range(0, down, 9):
        for left in range(0, right, 5):
            drawn = ViewDraws(3.0, 30, ((left + 0.5) / right, (top + 0.5) / down), False)
            view = apply_draws(resized, drawn, size)
            assert np.array_equal(view, expected[top : top + size, left : left + size])


def test_the_first_and_the_last_place_are_the_corners() -> None:
    resized = np.asarray(picture(60, 50))
    first = apply_draws(resized, ViewDraws(None, None, (0, 0), False), 24)
    last = apply_draws(resized, ViewDraws(None, None, (1 - 2**-32, 1 - 2**-32), True), 24)
    assert np.array_equal(first, resized[:24, :24])
    assert np.array_equal(last, resized[-24:, -24:][:, ::-1])


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(DecodeLimits(max_pixels=10**7)) as opened:
        yield opened


def test_the_decoding_process_makes_the_same_views_of_every_kind_of_file(sandbox: Sandbox) -> None:
    files = every_kind() | {"1 pixel": encoded(picture(1, 1), "PNG")}
    wanted = Views(3, "train", KEY)
    results = sandbox.decode(files.values(), "crop", 24, [wanted] * len(files))
    for (name, data), result in zip(files.items(), results, strict=True):
        image = decode(data, max_pixels=10**7)
        assert result.error is None, name
        assert result.pixels == to_pixels(image, mode="crop", size=24).tobytes(), name
        assert result.view_pixels == make_views(image, wanted, 24).tobytes(), name


def test_each_image_has_the_views_that_it_asks_for(sandbox: Sandbox) -> None:
    data = encoded(picture(50, 40), "PNG")
    wanted = [None, Views(2, "train", KEY), Views(1, "val", KEY), Views(2, "train", bytes(32))]
    none, two, one, others = sandbox.decode([data] * 4, "resize", 24, wanted)
    assert none == Decoded("PNG", 50, 40, none.pixels)
    sizes = [len(result.view_pixels or b"") // (3 * 24**2) for result in (two, one, others)]
    assert sizes == [2, 1, 2]
    assert two.view_pixels != others.view_pixels
    assert {result.pixels for result in (two, one, others)} == {none.pixels}


def test_an_image_of_which_no_view_can_be_made_is_an_error_with_its_facts(
    sandbox: Sandbox,
) -> None:
    strip = encoded(picture(20_000, 1), "PNG")
    first, refused, last = sandbox.decode(
        [encoded(picture(), "PNG"), strip, strip], "crop", 224, [None, Views(1, "val", KEY), None]
    )
    assert refused.error is not None
    assert refused.error.code == ErrorCode.TOO_MANY_PIXELS
    with pytest.raises(DecodeError, match="20000×1 pixels resized to 5120000×256"):
        raise refused.error
    assert (refused.width, refused.pixels, refused.view_pixels) == (20_000, None, None)
    assert first.pixels
    assert last.pixels


def test_all_views_at_once_are_as_good_as_one(sandbox: Sandbox) -> None:
    data = encoded(picture(300, 300), "JPEG")
    results = sandbox.decode([data] * 2, "crop", 224, [Views(n, "train", KEY) for n in (64, 1)])
    (many, one) = (result.view_pixels or b"" for result in results)
    assert len(many) == 64 * 3 * 224**2
    assert many.startswith(one)
    assert one
