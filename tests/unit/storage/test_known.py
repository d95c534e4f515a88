from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ufd_ray.errors import ErrorCode, FetchError
from ufd_ray.storage import Known
from ufd_ray.storage.known import check_unchanged

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
LATER = NOON + timedelta(microseconds=250_000)


@pytest.mark.parametrize(
    ("then", "now", "same"),
    [
        ({}, {"etag": "a", "size_bytes": 1, "last_modified": NOON}, True),
        ({"etag": "a"}, {"etag": "a"}, True),
        ({"etag": "a"}, {"etag": "b"}, False),
        # Where both have an etag, nothing else counts: copies keep it, and get a new date.
        ({"etag": "a", "last_modified": NOON}, {"etag": "a", "last_modified": LATER}, True),
        ({"etag": "", "size_bytes": 1}, {"etag": "b", "size_bytes": 1}, True),
        ({"etag": "a", "size_bytes": 1}, {"size_bytes": 1}, True),
        ({"etag": "a", "size_bytes": 1}, {"size_bytes": 2}, False),
        ({"size_bytes": 1}, {"etag": "b", "size_bytes": 2}, False),
        ({"last_modified": NOON}, {"last_modified": NOON + timedelta(seconds=1)}, False),
        ({"last_modified": NOON}, {"last_modified": LATER}, True),
        (
            {"last_modified": LATER},
            {"last_modified": LATER + timedelta(microseconds=1)},
            False,
        ),
    ],
)
def test_what_counts_as_the_same_version(
    then: dict[str, Any], now: dict[str, Any], same: bool
) -> None:
    known = Known("s3://b/k", **then)
    if same:
        check_unchanged(known, Known("s3://b/k", **now))
        return
    with pytest.raises(FetchError) as caught:
        check_unchanged(known, Known("s3://b/k", **now))
    assert caught.value.code == ErrorCode.CHANGED
