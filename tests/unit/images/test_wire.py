from __future__ import annotations

import io
import struct
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ufd_ray.errors import DecodeError, ErrorCode
from ufd_ray.images import (
    FORMATS,
    Alignment,
    ByRecipe,
    Decoded,
    FileTraits,
    Form,
    PixelRecipe,
    Views,
)
from ufd_ray.images.wire import (
    Request,
    answer_bytes,
    read_answer,
    read_request,
    request_header,
)
from ufd_ray.settings import PreprocessMode

SIZE = 2
SIDES = st.integers(1, 2**31 - 1)
CODES = ("empty", "unsupported", "corrupt", "truncated", "too_many_pixels", "crashed", "too_small")


def receiving(data: bytes) -> Callable[[int], bytes]:
    stream = io.BytesIO(data)

    def receive(num_bytes: int) -> bytes:
        got = stream.read(num_bytes)
        if len(got) < num_bytes:
            raise EOFError
        return got

    return receive


def in_words(decoded: Decoded) -> tuple[object, ...]:
    facts = (decoded.format, decoded.width, decoded.height, decoded.pixels)
    return (*facts, decoded.error and (decoded.error.code, decoded.error.message))


VIEWS = st.builds(
    Views,
    st.integers(1, 64),
    st.sampled_from(["train", "val"]),
    st.binary(min_size=32, max_size=32),
)

RECIPES = st.builds(
    PixelRecipe,
    st.integers(1, 9999),
    st.none() | st.integers(1, 9999),
    st.sampled_from(["bilinear", "lanczos"]),
    st.floats(0, 1),
    st.booleans(),
    st.sampled_from(["centre", "random"]),
    st.floats(0, 1),
)


@given(
    data=st.binary(max_size=99),
    mode=st.sampled_from(["crop", "resize"]),
    max_pixels=st.integers(1, 10**12),
    views=st.none() | VIEWS,
    alignment=st.none() | st.builds(Alignment, st.integers(1, 9999), st.integers(1, 100)),
    with_traits=st.booleans(),
    forms=st.lists(st.builds(Form, st.integers(1, 9), st.integers(1, 100)), max_size=3).map(tuple),
    by_recipe=st.none()
    | st.builds(ByRecipe, RECIPES, st.binary(min_size=32, max_size=32), st.integers(1, 65_535)),
)
def test_a_request_arrives(
    data: bytes,
    mode: PreprocessMode,
    max_pixels: int,
    views: Views | None,
    alignment: Alignment | None,
    with_traits: bool,
    forms: tuple[Form, ...],
    by_recipe: ByRecipe | None,
) -> None:
    sent = Request(data, mode, 224, max_pixels, views, alignment, with_traits, forms, by_recipe)
    assert sent.num_views == (views.num if views else len(forms))
    assert sent.num_traits == with_traits * (1 + (alignment is not None))
    assert read_request(receiving(request_header(sent) + data)) == sent


@given(
    facts=st.none() | st.tuples(st.sampled_from(FORMATS), SIDES, SIDES),
    code=st.sampled_from(CODES),
    message=st.text(st.characters(codec="utf-8"), min_size=1, max_size=400),
)
def test_an_error_arrives(facts: tuple[str, int, int] | None, code: str, message: str) -> None:
    sent = Decoded(*(facts or ()), error=DecodeError(ErrorCode(code), message))
    assert in_words(read_answer(receiving(answer_bytes(sent)), SIZE)) == in_words(sent)


@given(st.sampled_from(FORMATS), SIDES, SIDES, st.binary(min_size=12, max_size=12))
def test_pixels_arrive(kind: str, width: int, height: int, pixels: bytes) -> None:
    sent = Decoded(kind, width, height, pixels)
    assert read_answer(receiving(answer_bytes(sent)), SIZE) == sent


@given(st.binary(min_size=12, max_size=12), st.integers(1, 4), st.randoms())
def test_views_arrive_whole_or_not_at_all(pixels: bytes, num_views: int, random: Random) -> None:
    sent = Decoded("PNG", 9, 9, pixels, view_pixels=random.randbytes(12 * num_views))
    answer = answer_bytes(sent)
    assert read_answer(receiving(answer), SIZE, num_views) == sent
    with pytest.raises(EOFError):
        read_answer(receiving(answer), SIZE, num_views + 1)


@given(st.binary(min_size=12, max_size=12), st.integers(1, 2**62))
def test_traits_arrive_before_pixels(pixels: bytes, num_bytes: int) -> None:
    traits = (FileTraits("JPEG", 9, 8, num_bytes, 75, 2**32 - 1, 3, has_icc=True),)
    traits += (FileTraits("PNG", 2**31 - 1, 1, 1, is_progressive=True, has_others=True),)
    answer = answer_bytes(Decoded("PNG", 9, 9, pixels, traits=traits))
    arrived = read_answer(receiving(answer), SIZE, num_traits=2)
    assert (arrived.traits, arrived.pixels) == (traits, pixels)


@pytest.mark.parametrize(("message", "arrives"), [("é" * 5000, "é" * 1000), ("a\ud800", "a?")])
def test_a_message_is_cut_and_mended(message: str, arrives: str) -> None:
    sent = Decoded(error=DecodeError(ErrorCode.CORRUPT, message))
    error = read_answer(receiving(answer_bytes(sent)), SIZE).error
    assert error is not None
    assert error.message == arrives


@pytest.mark.parametrize(
    "answer",
    {
        "no such format": (8, 0, 1, 1, 0),
        "no such error": (0, 8, 0, 0, 1),
        "nothing": (0, 0, 0, 0, 0),
        "an error without a reason": (0, 1, 0, 0, 0),
        "a reason without an error": (1, 0, 1, 1, 1),
        "a long message": (0, 1, 0, 0, 2001),
        "no width": (1, 0, 0, 1, 0),
        "negative": (1, 0, 1, -1, 0),
        "sides of no format": (0, 1, 1, 0, 1),
    }.values(),
)
def test_an_answer_that_cannot_be(answer: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_answer(receiving(struct.pack("<BBiiH", *answer) + b"m" * 3000), SIZE)


def test_a_message_that_is_no_text() -> None:
    with pytest.raises(ValueError, match="utf-8"):
        read_answer(receiving(struct.pack("<BBiiH", 0, 1, 0, 0, 1) + b"\xff"), SIZE)


@given(st.binary(max_size=40))
def test_any_bytes_are_an_answer_or_refused(data: bytes) -> None:
    try:
        answer = read_answer(receiving(data), SIZE)
    except (ValueError, EOFError):
        return
    assert data.startswith(answer_bytes(answer))
