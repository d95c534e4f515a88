from __future__ import annotations

import pytest

from ufd_ray.errors import SettingsError
from ufd_ray.storage.listing.braces import expand_ranges


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("s3://b/a.tar", ["s3://b/a.tar"]),
        ("{0..2}.tar", ["0.tar", "1.tar", "2.tar"]),
        ("{08..11}.tar", ["08.tar", "09.tar", "10.tar", "11.tar"]),
        ("{9..11}.tar", ["9.tar", "10.tar", "11.tar"]),
        ("{000..1}.tar", ["000.tar", "001.tar"]),
        ("{7..7}.tar", ["7.tar"]),
        ("{0..1}/{5..6}.tar", ["0/5.tar", "0/6.tar", "1/5.tar", "1/6.tar"]),
        ("{a..c}.tar", ["{a..c}.tar"]),
        ("{1,2}.tar", ["{1,2}.tar"]),
    ],
)
def test_ranges(name: str, names: list[str]) -> None:
    assert list(expand_ranges(name)) == names


def test_a_long_range_takes_no_memory() -> None:
    assert next(expand_ranges("{0..99999999999999}.tar")) == "0.tar"


def test_a_range_that_runs_backward_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"--input \{3\.\.1\}\.tar: the range .* ends before"):
        list(expand_ranges("{3..1}.tar"))
