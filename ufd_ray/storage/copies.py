"""Copies of large objects as local files, of the very version that was meant."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import obstore

from ufd_ray.errors import StorageError
from ufd_ray.storage.objects import told_in_one_line
from ufd_ray.storage.stores import StorageOptions, open_store
from ufd_ray.storage.uris import parse_uri

_CHUNK = 8 * 2**20


@dataclass(frozen=True)
class ObjectVersion:
    """Which bytes an object had when it was looked at.

    Attributes:
        etag: as the store gives it, or None.
        size_bytes: their number.
        last_modified: when they were put, ISO 8601.
    """

    etag: str | None
    size_bytes: int
    last_modified: str

    @property
    def facts(self) -> tuple[str | None, int, str]:
        """All of it."""
        return self.etag, self.size_bytes, self.last_modified


def object_version(uri: str, options: StorageOptions) -> ObjectVersion:
    """The version of an object in a store as it is now.

    Raises:
        FileNotFoundError: nothing is there.
        StorageError: the storage does not say.
    """
    location = parse_uri(uri)
    with told_in_one_line(uri, "looked up"):
        meta = obstore.head(open_store(location.scheme, location.bucket, options), location.key)
    return ObjectVersion(meta["e_tag"], meta["size"], meta["last_modified"].isoformat())


def download(uri: str, file: Path, options: StorageOptions, version: ObjectVersion) -> str:
    """Copy an object in a store to a local file, never whole in memory.

    Args:
        uri: of the object.
        file: to be written.
        options: how storage is reached.
        version: the version that is meant.

    Returns:
        SHA-256 of the bytes, 64 hex digits.

    Raises:
        FileNotFoundError: nothing is there.
        OSError: the file cannot be written.
        StorageError: the object cannot be read, or it is another version by now.
    """
    location = parse_uri(uri)
    digest, size = hashlib.sha256(), 0
    with file.open("wb") as out:
        with told_in_one_line(uri, "read"):
            found = obstore.get(open_store(location.scheme, location.bucket, options), location.key)
            etag, chunks = found.meta["e_tag"], iter(found.stream(min_chunk_size=_CHUNK))
        while True:
            with told_in_one_line(uri, "read"):
                chunk = next(chunks, None)
            if chunk is None:
                break
            digest.update(chunk)
            size += out.write(chunk)
    if (etag, size) != (version.etag, version.size_bytes):
        raise StorageError(f"{uri} changed while it was read; try again when it is written")
    return digest.hexdigest()


@contextmanager
def local_copy(uri: str, options: StorageOptions) -> Iterator[Path]:
    """A local file with the bytes at `uri`: the file itself, or a copy while the block runs.

    Raises:
        FileNotFoundError: nothing is there.
        StorageError: it cannot be read.
    """
    location = parse_uri(uri)
    if location.scheme == "file":
        if not Path(location.key).is_file():
            raise FileNotFoundError(f"{uri}: no such file")
        yield Path(location.key)
        return
    with tempfile.TemporaryDirectory(prefix="ufd-ray-") as folder:
        copy = Path(folder, os.path.basename(location.key))
        download(uri, copy, options, object_version(uri, options))
        yield copy
