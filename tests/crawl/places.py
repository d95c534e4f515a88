"""Where the crawl lies: a folder, or a prefix of a bucket. One way to put, look up and delete."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote_from_bytes


@dataclass(frozen=True)
class Listed:
    """What a listing says of an object."""

    etag: str | None
    size_bytes: int
    last_modified: datetime


class Place(Protocol):
    """A root below which objects are put."""

    @property
    def root(self) -> str:
        """URI of the root."""

    def uri(self, name: str) -> str:
        """URI of an object, as a run's rows have it."""

    def put(self, name: str, data: bytes) -> None: ...

    def look_up(self, name: str) -> Listed: ...

    def delete(self, name: str) -> None: ...

    def etag(self, data: bytes) -> str | None:
        """The etag that these bytes get."""


@dataclass(frozen=True)
class Disk:
    """A folder."""

    folder: Path

    @property
    def root(self) -> str:
        return str(self.folder)

    def uri(self, name: str) -> str:
        path = os.fsencode(f"{self.folder}/{name}")
        try:
            return path.decode()
        except UnicodeDecodeError:
            return "file://" + quote_from_bytes(path)

    def put(self, name: str, data: bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.stat().st_mtime_ns if path.exists() else None
        path.write_bytes(data)
        if before is not None:  # as if some time had passed
            os.utime(path, ns=(before + 10**9, before + 10**9))

    def look_up(self, name: str) -> Listed:
        stat = (self.folder / name).stat()
        modified = datetime.fromtimestamp(stat.st_mtime_ns // 10**9, UTC)
        modified = modified.replace(microsecond=stat.st_mtime_ns // 1000 % 10**6)
        return Listed(None, stat.st_size, modified)

    def delete(self, name: str) -> None:
        (self.folder / name).unlink()

    def etag(self, data: bytes) -> str | None:
        return None


@dataclass(frozen=True)
class Bucket:
    """A prefix of a bucket."""

    client: Any
    name: str
    prefix: str

    @property
    def root(self) -> str:
        return f"s3://{self.name}/{self.prefix}"

    def uri(self, name: str) -> str:
        return f"{self.root}/{name}"

    def put(self, name: str, data: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=f"{self.prefix}/{name}", Body=data)

    def look_up(self, name: str) -> Listed:
        answer = self.client.head_object(Bucket=self.name, Key=f"{self.prefix}/{name}")
        etag = answer["ETag"].strip('"')
        return Listed(etag, answer["ContentLength"], answer["LastModified"])

    def delete(self, name: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=f"{self.prefix}/{name}")

    def etag(self, data: bytes) -> str | None:
        return hashlib.md5(data, usedforsecurity=False).hexdigest()
