"""What lies in a run's folder: names, sizes, times; and which of it is ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import obstore
from botocore.exceptions import BotoCoreError, ClientError
from obstore.exceptions import BaseError

from ufd_ray.errors import StorageError
from ufd_ray.storage.foreign_errors import explain
from ufd_ray.storage.stores import StorageOptions, open_store, s3_client
from ufd_ray.storage.uris import parse_uri

_OURS = re.compile(
    r"run\.json|report\.html|_SUCCESS"
    r"|(scores|embeddings|manifest)/part-[0-9]{5,}\.parquet"
    r"|lease/[0-9]{8,}\.json"
    r"|(parts|checkpoint)/.+"  # nobody but the run itself has any business there
    r"|(.*/)?\.writ(ing|able)-[0-9a-f]{32}"
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
        for path in Path(location.key).rglob("*"):
            if path.is_file() or path.is_symlink():
                status = path.lstat()
                modified = datetime.fromtimestamp(status.st_mtime, UTC)
                yield Stored(str(path.relative_to(location.key)), status.st_size, modified)
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
