"""TF32 is off for as long as a block runs, and for no longer."""

from __future__ import annotations

import pytest
from torch.backends import cuda, cudnn

from ufd_ray.encoders.tf32 import without_tf32


def seen() -> tuple[bool, bool]:
    return cudnn.allow_tf32, cuda.matmul.allow_tf32


def fail(noted: list[tuple[bool, bool]]) -> None:
    with without_tf32():
        noted.append(seen())
        raise ZeroDivisionError


@pytest.mark.parametrize("before", [True, False])
def test_the_switches_are_put_back(before: bool) -> None:
    first = seen()
    noted: list[tuple[bool, bool]] = []
    cudnn.allow_tf32 = cuda.matmul.allow_tf32 = before
    try:
        with pytest.raises(ZeroDivisionError):
            fail(noted)
        assert noted == [(False, False)]
        assert seen() == (before, before)
    finally:
        cudnn.allow_tf32, cuda.matmul.allow_tf32 = first
