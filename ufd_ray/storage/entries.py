"""What a listing knows of one object, and what the file system knows of one file."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from datetime import UTC, datetime

from ufd_ray.storage.uris import local_uri


@dataclass(frozen=True)
class ObjectInfo:
    """What a listing knows of one object.

    Attributes:
        uri: its name, as it stands.
        etag: version tag without quotes; None for local files.
        size_bytes: its size.
        last_modified: in UTC, to the microsecond.
    """

    uri: str
    etag: str | None
    size_bytes: int | None
    last_modified: datetime | None


def local_info(path: bytes) -> ObjectInfo | None:
    """What is known of a file; None for all that is none, or is gone by now.

    Sockets, pipes and dangling links are no images; a pipe would block its reader.
    """
    try:
        status = os.stat(path)
    except OSError as error:
        raise_unless_gone(error)
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return ObjectInfo(local_uri(path), None, status.st_size, modified_at(status))


def raise_unless_gone(error: OSError) -> None:
    """Pass over what says that a name leads to nothing (any more).

    Raises:
        OSError: it is another error.
    """
    if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
        raise error


def modified_at(status: os.stat_result) -> datetime:
    """When a local file was last modified: UTC, cut to the microsecond."""
    seconds, rest = divmod(status.st_mtime_ns // 1000, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)
