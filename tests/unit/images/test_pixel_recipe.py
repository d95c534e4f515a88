"""Recipes against the transforms that were there before them, and through the decoder."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.unit.images.samples import encoded, every_kind, picture
from ufd_ray.errors import ErrorCode
from ufd_ray.images import (
    Alignment,
    ByRecipe,
    DecodeLimits,
    PixelRecipe,
    Sandbox,
    Views,
    decode,
    make_by_recipe,
    to_pixels,
    view_key,
)
from ufd_ray.images.view_draws import draw
from ufd_ray.images.views import make_views

TRAIN = PixelRecipe(224, 256, perturbed=0.5, crop="random", flipped=0.5)
VAL = PixelRecipe(224, 256, perturbed=0.5, fixed=True)
SIDES = st.integers(1, 400)
KEYS = st.binary(min_size=32, max_size=32)


@settings(max_examples=25)
@given(SIDES, SIDES, KEYS, st.integers(1, 3), st.integers(0, 99))
def test_it_is_the_training_view_to_the_bit(
    width: int, height: int, key: bytes, number: int, seed: int
) -> None:
    image = picture(width, height, seed=seed)
    views = make_views(image, Views(number, "train", key), 224)
    assert np.array_equal(make_by_recipe(image, ByRecipe(TRAIN, key, number)), views[-1])


@settings(max_examples=20)
@given(SIDES, SIDES, KEYS)
def test_it_is_the_view_that_validates_to_the_bit(width: int, height: int, key: bytes) -> None:
    image = picture(width, height)
    (view,) = make_views(image, Views(1, "val", key), 224)
    assert np.array_equal(make_by_recipe(image, ByRecipe(VAL, key, 1)), view)


@settings(max_examples=25)
@given(SIDES, SIDES, st.integers(1, 300), KEYS)
def test_a_plain_one_is_the_centre_crop_to_the_bit(
    width: int, height: int, size: int, key: bytes
) -> None:
    image = picture(width, height)
    cropped = to_pixels(image, mode="crop", size=size)
    recipe = PixelRecipe(size)
    assert recipe.is_plain
    assert np.array_equal(make_by_recipe(image, ByRecipe(recipe, key, 1)), cropped)


@given(st.integers(1, 90), st.integers(1, 90), KEYS)
def test_a_smaller_image_lies_in_the_middle_of_black_wherever_crops_lie(
    width: int, height: int, key: bytes
) -> None:
    image = Image.new("RGB", (width, height), (255, 255, 255))
    found = make_by_recipe(image, ByRecipe(PixelRecipe(64, crop="random"), key, 1))
    assert np.array_equal(found, to_pixels(image, mode="crop", size=64))


@pytest.mark.parametrize("sides", [(300, 200), (90, 400)])
def test_lanczos_is_that_of_the_whole_image(sides: tuple[int, int]) -> None:
    image = picture(*sides)
    ratio = 120 / min(sides)
    resized = image.resize(
        tuple(int(side * ratio) for side in sides),  # type: ignore[arg-type]
        Image.Resampling.LANCZOS,
    )
    expected = to_pixels(resized, mode="crop", size=120)
    wanted = ByRecipe(PixelRecipe(120, 120, "lanczos"), bytes(32), 1)
    assert np.array_equal(make_by_recipe(image, wanted), expected)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_shares_are_kept(share: float) -> None:
    chances = PixelRecipe(9, perturbed=share, flipped=share).chances
    draws = [draw(view_key(f"{n:064x}", 0), 1, chances) for n in range(2000)]
    of_all = (
        [one.sigma is not None for one in draws],
        [one.quality is not None for one in draws],
        [one.is_flipped for one in draws],
    )
    for found in of_all:
        assert np.mean(found) == pytest.approx(share, abs=0.04 if 0 < share < 1 else 0)
    both = np.mean([blurred and saved for blurred, saved, _ in zip(*of_all, strict=True)])
    assert both == pytest.approx(share**2, abs=0.04)


def test_the_decoding_process_makes_the_same_of_every_kind_of_file() -> None:
    recipes = (TRAIN, PixelRecipe(24), PixelRecipe(30, 24, "lanczos", flipped=1.0))
    files = every_kind() | {"1 pixel": encoded(picture(1, 1), "PNG")}
    with Sandbox(DecodeLimits(max_pixels=10**7)) as sandbox:
        for number, recipe in enumerate(recipes, 1):
            wanted = [ByRecipe(recipe, view_key(f"{n:064x}", 5), number) for n in range(len(files))]
            results = sandbox.decode_by_recipe(files.values(), wanted)
            for (name, data), how, result in zip(files.items(), wanted, results, strict=True):
                assert result.error is None, name
                expected = make_by_recipe(decode(data, max_pixels=10**7), how)
                assert result.pixels == expected.tobytes(), name


def test_broken_files_missing_ones_and_alignment() -> None:
    sound = encoded(picture(50, 40), "PNG")
    wanted = ByRecipe(PixelRecipe(20, 24), bytes(32), 1)
    with Sandbox(DecodeLimits()) as sandbox:
        broken, missing, whole = sandbox.decode_by_recipe(
            [sound[:80], None, sound], [wanted, None, wanted]
        )
        (small,) = sandbox.decode_by_recipe([sound], [wanted], alignment=Alignment(45, 90))
        (aligned,) = sandbox.decode_by_recipe([sound], [wanted], alignment=Alignment(30, 90))
    assert broken.error is not None
    assert broken.error.code == ErrorCode.TRUNCATED
    assert (missing.pixels, missing.error) == (None, None)
    assert small.error is not None
    assert small.error.code == ErrorCode.TOO_SMALL
    assert (aligned.width, aligned.height) == (50, 40)
    assert aligned.pixels not in (None, whole.pixels)
