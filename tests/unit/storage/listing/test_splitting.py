from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from ufd_ray.storage.listing import splitting
from ufd_ray.storage.listing.splitting import is_within, split_keys

PAGE = 4


class Listing:
    """What S3 says of these keys, a few at a time."""

    def __init__(self, keys: list[str]) -> None:
        self._keys = sorted(keys, key=str.encode)

    def list_objects_v2(self, **asked: str) -> dict[str, Any]:
        return {"IsTruncated": sum(key.startswith(asked["Prefix"]) for key in self._keys) > PAGE}

    def get_paginator(self, _: str) -> Listing:
        return self

    def paginate(self, **asked: str) -> Iterator[dict[str, Any]]:
        prefix = asked["Prefix"]
        below = [key.removeprefix(prefix) for key in self._keys if key.startswith(prefix)]
        cut = [rest[: rest.find("/") + 1] or rest for rest in below]
        entries = list(dict.fromkeys(prefix + name for name in cut))
        for start in range(0, max(len(entries), 1), PAGE):
            page = entries[start : start + PAGE]
            folders = [name for name in page if name.endswith("/") and name != prefix]
            yield {
                "CommonPrefixes": [{"Prefix": name} for name in folders],
                "Contents": [{"Key": name} for name in page if name not in folders],
            }


def split(keys: list[str], prefix: str = "") -> list[splitting.KeyRange]:
    return split_keys(Listing(keys), "bucket", prefix)


@given(
    keys=st.lists(st.text("ab/é\U0001f600￿\n ", min_size=1, max_size=6), unique=True),
    prefix=st.sampled_from(["", "a/", "/", "a//"]),
)
def test_every_key_is_in_one_range_and_the_ranges_are_in_order(
    keys: list[str], prefix: str
) -> None:
    below = sorted((key for key in keys if key.startswith(prefix)), key=str.encode)
    found = [
        key
        for start, end in split(keys, prefix)
        for key in below
        if (start is None or not is_within(key, start)) and is_within(key, end)
    ]
    assert found == below


def test_cuts_lie_between_the_folders_of_a_level_that_has_enough() -> None:
    folders = [f"crawl/{label}/{day:02d}/" for label in ("0_real", "1_fake") for day in range(9)]
    keys = [f"{folder}{name}.jpg" for folder in folders for name in range(3)]
    expected = list(pairwise([None, *folders[1:], None]))
    assert split(keys, "crawl/") == split(["_SUCCESS", *keys]) == expected


def test_where_there_are_no_more_folders_the_few_are_enough() -> None:
    keys = [f"x/{folder}/{name}.jpg" for folder in "abc" for name in range(5)]
    assert split(keys) == [(None, "x/b/"), ("x/b/", "x/c/"), ("x/c/", None)]


@pytest.mark.parametrize("odd", ["\x01", "\n", "\x7f", "\uffff"])
def test_names_that_no_xml_can_hold_are_never_asked_for(odd: str) -> None:
    keys = [f"{folder}/{name}.jpg" for folder in ("a", "b", odd, "c" + odd) for name in range(3)]
    assert split(keys) == [(None, "b/"), ("b/", None)]


def test_a_server_that_stumbles_over_folders_is_listed_flat() -> None:
    class Stumbling(Listing):
        def paginate(self, **_: str) -> Iterator[dict[str, Any]]:
            raise ClientError({"Error": {"Code": "500"}}, "ListObjectsV2")

    keys = [f"{folder}/1.jpg" for folder in "abcdef"]
    assert split_keys(Stumbling(keys), "bucket", "") == [(None, None)]


def test_what_fits_one_page_is_not_cut() -> None:
    assert split(["a/1", "b/1"]) == split([]) == [(None, None)]


def test_many_folders_make_a_bounded_number_of_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [f"{number:06d}/1.jpg" for number in range(1000)]
    assert len(split(keys)) == splitting._PAGES * PAGE
    monkeypatch.setattr(splitting, "_RANGES", 7)
    assert 1 < len(split(keys)) <= 7


def test_a_level_of_keys_is_not_read_to_its_end() -> None:
    class Once(Listing):
        def paginate(self, **how: Any) -> Iterator[dict[str, Any]]:
            yield next(super().paginate(**how))
            raise AssertionError("the flat listing was read for its folders")

    keys = [f"{number}.jpg" for number in range(100)] + ["z/1.jpg"]
    assert split_keys(Once(keys), "bucket", "") == [(None, None)]
