"""Names of things in storage: one URI grammar for local paths, `file://`, `s3://` and `gs://`.

A plain path and the key of an object store stand as they are: `s3://b/a%20b #1.jpg` names the key
`a%20b #1.jpg`. Only `file://` is percent-encoded, as its standard says; listing uses it for the
local names that are not UTF-8, which no Parquet string can hold otherwise.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote_from_bytes, unquote_to_bytes

from ufd_ray.errors import SettingsError

Scheme = Literal["file", "s3", "gs"]
_ODD_KEY = re.compile(r"(^|/)(\.{0,2})(/|$)|[\x00-\x1f\x7f]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


@dataclass(frozen=True)
class Location:
    """Where a URI points.

    Attributes:
        scheme: the kind of storage.
        bucket: bucket name; empty for local files.
        key: object key, or the absolute local path (undecodable bytes as surrogates, as `os` does).
    """

    scheme: Scheme
    bucket: str
    key: str

    @property
    def path(self) -> str:
        """The name by which a file system of this scheme knows it."""
        return self.key if self.scheme == "file" else f"{self.bucket}/{self.key}"


def parse_uri(uri: str) -> Location:
    """Take a URI or a local path apart.

    Raises:
        SettingsError: a scheme that we do not read, or a URI without a bucket.
    """
    match = _SCHEME.match(uri)
    if match is None:
        if not uri:
            raise SettingsError("an empty string is no path or URI")
        return Location("file", "", os.path.abspath(uri))
    scheme, rest = match[1].lower(), uri[match.end() :]
    if scheme == "file":
        host, slash, path = rest.partition("/")
        if not slash or host not in ("", "localhost"):
            raise SettingsError(f"{uri!r}: a file URI looks like file:///absolute/path")
        return Location("file", "", os.path.abspath(os.fsdecode(unquote_to_bytes("/" + path))))
    if scheme == "s3" or scheme == "gs":
        bucket, _, key = rest.partition("/")
        if not bucket:
            raise SettingsError(f"{uri!r} names no bucket: expected {scheme}://bucket/key")
        return Location("s3" if scheme == "s3" else "gs", bucket, key)
    raise SettingsError(
        f"{uri!r}: {scheme}:// is not read; expected a local path, file://, s3:// or gs://"
    )


def absolute_uri(uri: str) -> str:
    """The same place whatever the working directory is, which workers of Ray Train have their own.

    Raises:
        SettingsError: as of `parse_uri`.
    """
    place = parse_uri(uri)
    return place.path if place.scheme == "file" else uri


def scheme_of(uri: str) -> str:
    """The scheme that a URI names, in lower case, read here or not; a plain path's is `file`."""
    match = _SCHEME.match(uri)
    return match[1].lower() if match else "file"


def is_http(uri: str) -> bool:
    """Whether a URI is one of the web's, which are read as images only, and only if allowed."""
    return scheme_of(uri) in ("http", "https")


def local_uri(path: bytes) -> str:
    """The URI of a local file: its plain path, or `file://` percent-encoded where not UTF-8."""
    try:
        return path.decode("utf-8")
    except UnicodeDecodeError:
        return "file://" + quote_from_bytes(path)


def object_uri(scheme: Scheme, bucket: str, key: str) -> str:
    """The URI of an object whose key is `key`, as it stands."""
    return f"{scheme}://{bucket}/{key}"


def is_odd_key(key: str) -> bool:
    """Whether obstore would normalise or refuse a key.

    It has empty, `.` or `..` segments, control characters, or a slash at either end.
    """
    return _ODD_KEY.search(key) is not None


def join_uri(root: str, *names: str) -> str:
    """A place below `root`. The names are ours: without `..`, schemes or backslashes."""
    bare = root if root.endswith("://") or root.strip("/") in ("", "file:") else root.rstrip("/")
    return bare + ("" if bare.endswith("/") else "/") + "/".join(names)


def image_id(uri: str, member: str | None = None) -> str:
    """Identity of an image: 32 hex digits of SHA-256 over `uri`, NUL, `member`."""
    name = f"{uri}\0{member or ''}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(name).hexdigest()[:32]
