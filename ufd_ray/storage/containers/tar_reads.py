"""Members of a tar → their bytes; neighbours with one request."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from typing import BinaryIO

from ufd_ray.errors import ErrorCode, FetchError
from ufd_ray.storage.containers.tars import UNREADABLE, Member, read_headers
from ufd_ray.storage.entries import ObjectInfo
from ufd_ray.storage.known import FetchLimits, Known, check_size
from ufd_ray.storage.ranged import open_object
from ufd_ray.storage.stores import StorageOptions

_LARGEST_GAP = 2**20
_LARGEST_READ = 32 * 2**20

BytesOrError = bytes | FetchError
"""What reading one image comes to."""


def read_from_tar(
    file: BinaryIO,
    info: ObjectInfo,
    wanted: Sequence[Known],
    options: StorageOptions,
    limits: FetchLimits,
) -> list[BytesOrError]:
    """Read members of one tar, in order, each with its bytes or with a `FetchError`.

    Args:
        file: the tar, without a buffer.
        info: what is known of it.
        wanted: its members. Those whose place is not known are looked for, which reads its headers.
        options: how storage is reached.
        limits: larger members are not read.

    Raises:
        OSError, obstore.exceptions.BaseError: the tar cannot be read.
    """
    results: dict[int, BytesOrError] = {}
    pieces: list[tuple[int, int, int]] = []
    index: dict[str, Member] | FetchError = {}
    if not all(_is_placed(known) for known in wanted):
        try:
            index = _index(info, options)
        except FetchError as error:
            index = error
    for place, known in enumerate(wanted):
        try:
            member = _find(known, info, index)
            check_size(member.size_bytes, limits)
            if member.offset is None:
                results[place] = _read_sparse(member, info, options)
            else:
                pieces.append((member.offset, member.size_bytes, place))
        except FetchError as error:
            results[place] = error
    for run in _runs(sorted(pieces)):
        first = run[0][0]
        file.seek(first)
        data = file.read(max(start + size for start, size, _ in run) - first)
        for start, size, place in run:
            piece = data[start - first : start - first + size]
            results[place] = piece if len(piece) == size else damaged("it ends too early")
    return [results[place] for place in range(len(wanted))]


def _is_placed(known: Known) -> bool:
    return known.offset is not None and known.size_bytes is not None


def _find(known: Known, info: ObjectInfo, index: dict[str, Member] | FetchError) -> Member:
    name = known.member or ""
    if known.offset is not None and known.size_bytes is not None:
        if not 0 <= known.offset <= known.offset + known.size_bytes <= (info.size_bytes or 0):
            raise FetchError(ErrorCode.NOT_FOUND, f"byte {known.offset} is not in the tar")
        return Member(name, known.offset, known.size_bytes)
    if isinstance(index, FetchError):
        raise index
    if name not in index:
        raise FetchError(ErrorCode.NOT_FOUND, f"the tar has no member {name!r}")
    member = index[name]
    if known.size_bytes not in (None, member.size_bytes):
        raise FetchError(
            ErrorCode.CHANGED, f"listed with {known.size_bytes} bytes, now of {member.size_bytes}"
        )
    return member


@lru_cache(maxsize=4)
def _index(info: ObjectInfo, options: StorageOptions) -> dict[str, Member]:
    """A tar's members by name: for manifests that do not say where they lie. The first counts."""
    members: dict[str, Member] = {}
    for member, _ in _walk(info, options):
        members.setdefault(member.name, member)
    return members


def _read_sparse(wanted: Member, info: ObjectInfo, options: StorageOptions) -> BytesOrError:
    for member, read in _walk(info, options):
        if member == wanted:
            return read()
    return damaged("its headers differ from one reading to the next")


def _walk(
    info: ObjectInfo, options: StorageOptions
) -> Iterator[tuple[Member, Callable[[], bytes]]]:
    file, now = open_object(info.uri, options, timeout_s=options.fetch_timeout_s)
    with file:
        if now != info:
            raise FetchError(ErrorCode.CHANGED, "the tar changed while it was read")
        try:
            for member, (tar, entry) in read_headers(file, now.size_bytes or 0):
                yield member, partial(_content, tar, entry)
        except UNREADABLE as error:
            raise damaged(str(error)) from error


def _content(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(entry)
    return file.read() if file else b""


def _runs(pieces: list[tuple[int, int, int]]) -> Iterator[list[tuple[int, int, int]]]:
    """Pieces that lie near each other, which one request reads with what is between them."""
    run: list[tuple[int, int, int]] = []
    end = 0
    for piece in pieces:
        start, size, _ = piece
        if run and (start - end > _LARGEST_GAP or start + size - run[0][0] > _LARGEST_READ):
            yield run
            run = []
        run.append(piece)
        end = max(end, start + size)
    if run:
        yield run


def damaged(why: str) -> FetchError:
    """The error of every image in a container that cannot be made sense of."""
    return FetchError(ErrorCode.CORRUPT, f"the container is damaged: {why}")
