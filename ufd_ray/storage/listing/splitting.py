"""A long listing cut into ranges of keys that can be listed at once, by what a prefix shows."""

from __future__ import annotations

import re
from itertools import islice, pairwise
from typing import Any

from botocore.exceptions import ClientError

_ENOUGH = 16
_PAGES = 10
_RANGES = 256
_NO_XML = re.compile("[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]")

KeyRange = tuple[str | None, str | None]
"""All keys after the first, up to and including the second, in S3's order; None: no bound."""


def split_keys(client: Any, bucket: str, prefix: str) -> list[KeyRange]:
    """Cut the keys below a prefix into ranges, in order; together they are every key, each once.

    The cuts lie between folders, of the first level that has enough of them. Cuts are only names to
    cut at. Whatever they are and whatever is written meanwhile, no key falls between two ranges or
    into both.

    Args:
        client: a boto3 client.
        bucket: its name.
        prefix: empty, or ending in `/`.
    """
    if not client.list_objects_v2(Bucket=bucket, Prefix=prefix)["IsTruncated"]:
        return [(None, None)]  # a page of it is all of it
    try:
        folders = _cuts(client, bucket, prefix)
    except ClientError:
        return [(None, None)]  # it costs time alone, and may well stumble over one odd name
    # At each end of a range a page may reach into the next one for nothing: so not too many.
    step = max(1, -(-len(folders) // _RANGES))
    return list(pairwise([None, *folders[step::step], None]))


def _cuts(client: Any, bucket: str, prefix: str) -> list[str]:
    folders, before = _folders(client, bucket, prefix), [prefix]
    while len(folders) < _ENOUGH and folders != before:
        before = folders
        folders = [
            below for folder in before for below in _folders(client, bucket, folder) or [folder]
        ]
    return folders


def is_within(key: str, end: str | None) -> bool:
    """Whether a key lies before a range's end: S3 compares names as UTF-8 bytes."""
    return end is None or _as_sorted(key) <= _as_sorted(end)


def _as_sorted(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")


def _folders(client: Any, bucket: str, prefix: str) -> list[str]:
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=prefix, Delimiter="/"
    )
    found: list[str] = []
    for page in islice(pages, _PAGES):
        folders = [entry["Prefix"] for entry in page.get("CommonPrefixes", [])]
        found += folders
        if len(folders) <= len(page.get("Contents", [])):
            break  # mostly keys: to go on would be the flat listing itself
    # Some servers repeat what they are asked for in their XML, and fail where it cannot be.
    return sorted((name for name in found if not _NO_XML.search(name)), key=_as_sorted)
