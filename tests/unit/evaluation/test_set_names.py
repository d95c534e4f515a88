"""Folders and sources → test sets."""

from __future__ import annotations

import pytest

from ufd_ray.evaluation import SetNames


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("/data/progan/airplane/0_real/1.png", "progan"),
        ("/data/seeingdark/0_real/1.png", "sitd"),
        ("/data/laion/0_real/1.png", "laion"),
        ("/data/mine/deep/er/1_fake/1.png", "mine"),
        ("/data/0_real/1.png", "data"),
        ("/data/1_fake/mine/1.png", "data"),
        ("/data/1.png", "data"),
        ("file:///data/a%20set/1_fake/1.png", "a set"),
        ("/other/progan/0_real/1.png", None),
        ("/database/progan/0_real/1.png", None),
        ("https://data/progan/0_real/1.png", None),
    ],
)
def test_the_first_folder_below_the_input(uri: str, name: str | None) -> None:
    assert SetNames(["/data"]).name(uri, None, None) == name
    assert SetNames(["/data/"]).name(uri, None, None) == name


@pytest.mark.parametrize(
    ("given", "uri", "name"),
    [
        # The paper's sets nest by class.
        ("/data/progan", "/data/progan/airplane/0_real/1.png", "progan"),
        ("/data/seeingdark", "/data/seeingdark/0_real/1.png", "sitd"),
        ("/data/progan", "/data/progan/biggan/0_real/1.png", "biggan"),
        ("/data/mine", "/data/mine/airplane/0_real/1.png", "airplane"),
        # An input may be one class of a set.
        ("/data/dalle/1_fake", "/data/dalle/1_fake/1.png", "dalle"),
        ("/data/mine/1_fake/deep", "/data/mine/1_fake/deep/1.png", "mine"),
        ("s3://tests", "s3://tests/1_fake/1.png", "tests"),
        ("s3://tests/", "s3://tests/san/1_fake/1.png", "san"),
        ("/", "/0_real/1.png", "images"),
        ("/", "/san/0_real/1.png", "san"),
    ],
)
def test_the_input_itself_may_be_a_set(given: str, uri: str, name: str) -> None:
    assert SetNames([given]).name(uri, None, None) == name


def test_the_innermost_input_decides() -> None:
    for inputs in (["/data", "/data/a/b"], ["/data/a/b", "/data"]):
        names = SetNames(inputs)
        assert names.name("/data/a/b/c/0_real/1.png", None, None) == "c"
        assert names.name("/data/a/x/c/0_real/1.png", None, None) == "a"


def test_a_source_names_the_set() -> None:
    names = SetNames(["/data"])
    assert names.name("/data/progan/0_real/1.png", None, "mine") == "mine"
    assert names.name("https://web/1.png", None, "seeingdark") == "sitd"
    assert names.name("/data/progan/0_real/1.png", None, "") == "progan"


@pytest.mark.parametrize(
    ("member", "name"),
    [("./dalle/1_fake/1.png", "dalle"), ("1_fake/1.png", "tars"), ("1.png", "tars")],
)
def test_a_tar_is_a_folder_without_a_name(member: str, name: str) -> None:
    names = SetNames(["s3://b/tars/{000..127}.tar"])
    assert names.name("s3://b/tars/017.tar", member, None) == name


def test_a_row_of_parquet_needs_a_source() -> None:
    names = SetNames(["/data/images.parquet"])
    assert names.name("/data/images.parquet", "17", None) is None
    assert names.name("/data/images.parquet", "17", "mine") == "mine"
