"""What lies in a run's folder: names, sizes, times; and which of it is ours."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import obstore
from botocore.exceptions import BotoCoreError, ClientError
from obstore.exceptions import BaseError

from ufd_ray.errors import StorageError
from ufd_ray.storage.foreign_errors import explain
from ufd_ray.storage.runs.folder import PART_FILE
from ufd_ray.storage.stores import StorageOptions, open_store, s3_client
from ufd_ray.storage.uris import parse_uri

_DRAFT = r"(.*/)?\.writ(ing|able)-[0-9a-f]{32}"
_OURS = re.compile(
    r"run\.json|report\.html|_SUCCESS"
    rf"|(scores|embeddings|manifest)/{PART_FILE}"
    r"|lease/[0-9]{8,}\.json"
    r"|(parts|checkpoint)/.+"  # nobody but the run itself has any business there
    rf"|{_DRAFT}"
)


@dataclass(frozen=True)
class Stored:
    """One object.

    Attributes:
        name: its path below the folder.
        num_bytes: its size.
        modified: when it was written, by the storage's clock, in UTC.
    """

    name: str
    num_bytes: int
    modified: datetime

    @property
    def is_ours(self) -> bool:
        """Whether it has a name that a run gives to its own files."""
        return _OURS.fullmatch(self.name) is not None

    @property
    def is_draft(self) -> bool:
        """Whether it is what a write that was cut off has left, which no reader looks at."""
        return re.fullmatch(_DRAFT, self.name) is not None


def find_link(folder: str) -> str | None:
    """The folder itself or the first one in it, if it is a link to another place; stores have none.

    Raises:
        StorageError: the folder cannot be listed.
    """
    location = parse_uri(folder)
    if location.scheme != "file":
        return None
    path = Path(location.key)
    try:
        within = sorted(path.iterdir()) if path.is_dir() else []
        links = (str(p) for p in (path, *within) if p.is_symlink() and p.is_dir())
        return next(links, None)
    except OSError as error:
        raise StorageError(f"{folder} cannot be listed: {explain(error)}") from None


def printable(text: str) -> str:
    """Text that may hold strangers' names, in one line that does nothing to a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def list_contents(folder: str, options: StorageOptions) -> list[Stored]:
    """All objects below a folder, whoever wrote them, sorted by name; none where it is not there.

    Raises:
        StorageError: it cannot be listed.
    """
    try:
        return sorted(_contents(folder, options), key=lambda stored: stored.name)
    except (BotoCoreError, ClientError, BaseError, OSError) as error:
        raise StorageError(f"{folder} cannot be listed: {explain(error)}") from None


def _contents(folder: str, options: StorageOptions) -> Iterator[Stored]:
    location = parse_uri(folder)
    prefix = location.key.rstrip("/") + "/"
    if location.scheme == "file":
        yield from _on_disk(Path(location.key))
    elif location.scheme == "s3":
        # boto3 knows keys that obstore does not: strangers' objects may be called anything.
        pages = s3_client(options).get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=location.bucket, Prefix=prefix):
            for entry in page.get("Contents", []):
                name = entry["Key"].removeprefix(prefix)
                yield Stored(name, entry["Size"], entry["LastModified"].astimezone(UTC))
    else:
        store = open_store(location.scheme, location.bucket, options)
        for found in obstore.list(store, prefix):
            for entry in found:
                name = entry["path"].removeprefix(prefix)
                yield Stored(name, entry["size"], entry["last_modified"].astimezone(UTC))


def _on_disk(folder: Path) -> Iterator[Stored]:
    """Files and links; without those that go meanwhile, as what is being written does."""
    for parent, folders, files in os.walk(folder, onerror=_raise_unless_gone):
        for path in (Path(parent, name) for name in (*files, *folders)):
            with suppress(FileNotFoundError):
                status = path.lstat()
                if stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
                    modified = datetime.fromtimestamp(status.st_mtime, UTC)
                    yield Stored(str(path.relative_to(folder)), status.st_size, modified)


def _raise_unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
