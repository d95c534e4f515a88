from __future__ import annotations

import inspect
import pickle

import pytest

from ufd_ray import errors
from ufd_ray.errors import DecodeError, ErrorCode, FetchError, ImageError, ModelError, UfdError

CODES = {
    FetchError: "not_found forbidden throttled timeout network changed too_many_bytes",
    DecodeError: "empty unsupported corrupt truncated too_many_pixels too_small decode_timeout"
    " crashed",
    ModelError: "not_finite",
}


def classes() -> list[type[BaseException]]:
    return [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, Exception)]


def test_the_words_are_the_contracts() -> None:
    assert [code.value for code in ErrorCode] == " ".join(CODES.values()).split()


def test_what_may_pass_by_itself() -> None:
    transient = {code.value for code in ErrorCode if code.transient}
    assert transient == {"throttled", "timeout", "network"}


def test_the_tree_is_as_it_is_drawn() -> None:
    drawn = [
        line.split("─ ")[1].split()[0]
        for line in (errors.__doc__ or "").splitlines()
        if "─ " in line
    ]
    assert sorted([*drawn, "UfdError"]) == sorted(c.__name__ for c in classes())
    for made in classes():
        assert issubclass(made, UfdError)
        below_image = made.__name__ in ("FetchError", "DecodeError", "ModelError", "ImageError")
        assert issubclass(made, ImageError) == below_image


@pytest.mark.parametrize("made", [FetchError, DecodeError, ModelError])
def test_an_images_error_comes_back_from_another_process(made: type[ImageError]) -> None:
    error = made(ErrorCode.CORRUPT, "broken, 50 %")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is made
    assert (again.code, again.message) == (ErrorCode.CORRUPT, "broken, 50 %")
    assert str(again) == "corrupt: broken, 50 %"
