"""An uncompressed tar → its members, by reading nothing but their headers."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import quote_from_bytes

from ufd_ray.storage.entries import ObjectInfo
from ufd_ray.storage.ranged import open_object
from ufd_ray.storage.stores import StorageOptions

_IMAGES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif", ".bmp", ".tif", ".tiff")
_PAGE = 1000
_LARGEST_HEADER = 2**20

UNREADABLE = (tarfile.TarError, ValueError, OverflowError, EOFError, KeyError, RecursionError)
"""What reading the headers of a damaged tar raises."""


@dataclass(frozen=True)
class Member:
    """One regular file in a tar.

    Attributes:
        name: as it stands, `./` and `..` included; percent-encoded where it is not UTF-8.
        offset: where its bytes begin in the tar; None where they do not lie there in one piece
            (sparse files).
        size_bytes: its size.
    """

    name: str
    offset: int | None
    size_bytes: int

    @property
    def is_image(self) -> bool:
        """Whether its name ends as an image's does."""
        return self.name.lower().endswith(_IMAGES)


def list_tar(uri: str, options: StorageOptions) -> Iterator[tuple[ObjectInfo, list[Member]]]:
    """Page through a tar: what is known of it, and up to 1,000 of its members.

    Raises:
        FileNotFoundError: no file is there.
        tarfile.TarError: it is none, or is damaged; also the others of `UNREADABLE`.
        OSError, obstore.exceptions.BaseError: it cannot be read.
    """
    file, info = open_object(uri, options)
    with file:
        page: list[Member] = []
        for member, _ in read_headers(file, info.size_bytes or 0):
            page.append(member)
            if len(page) == _PAGE:
                yield info, page
                page = []
        yield info, page


def read_headers(
    file: BinaryIO, size_bytes: int
) -> Iterator[tuple[Member, tuple[tarfile.TarFile, tarfile.TarInfo]]]:
    """Walk through a tar in bounded memory, each regular file once, in its order.

    Args:
        file: at its beginning.
        size_bytes: the whole tar's.

    Yields:
        A member, and what tarfile knows of it.

    Raises:
        tarfile.TarError: it is no tar, or damaged, or cut off; also the others of `UNREADABLE`.
    """
    with tarfile.open(fileobj=_Headers(file), mode="r:", encoding="utf-8") as tar:  # type: ignore[call-overload]
        end = 0
        while (entry := tar.next()) is not None:
            tar.members = []  # tarfile keeps them all
            if not end < tar.offset <= size_bytes:  # also: no header may lead back
                raise tarfile.ReadError(f"cut off within the member at byte {entry.offset}")
            end = tar.offset
            if entry.isreg():
                offset = None if entry.issparse() else entry.offset_data
                yield Member(_as_text(entry.name), offset, entry.size), (tar, entry)
        # For tarfile a header that it cannot read is the end, too.
        file.seek(tar.offset)
        block = file.read(tarfile.BLOCKSIZE)
        if len(block) < tarfile.BLOCKSIZE:
            raise tarfile.ReadError("cut off: it has no end-of-archive block")
        if block.count(0) < tarfile.BLOCKSIZE:
            raise tarfile.ReadError(f"no header of a member at byte {tar.offset}")


class _Headers:
    """A tar's file for tarfile, which reads as much at once as a header says, whoever wrote it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        if size > _LARGEST_HEADER:
            raise tarfile.ReadError(f"a header of {size} bytes; expected at most {_LARGEST_HEADER}")
        return self._file.read(size)


def _as_text(name: str) -> str:
    raw = name.encode("utf-8", "surrogateescape")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return quote_from_bytes(raw)
