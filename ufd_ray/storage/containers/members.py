"""Images inside containers → their bytes: members of a tar, rows of a Parquet file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from obstore.exceptions import PreconditionError

from ufd_ray.errors import ErrorCode, FetchError, SettingsError
from ufd_ray.storage.containers.parquet_images import find_image_column, read_cells
from ufd_ray.storage.containers.tar_reads import BytesOrError, damaged, read_from_tar
from ufd_ray.storage.entries import ObjectInfo
from ufd_ray.storage.known import FetchLimits, Known, check_size, check_unchanged
from ufd_ray.storage.ranged import open_object
from ufd_ray.storage.stores import StorageOptions


def is_container(uri: str) -> bool:
    """Whether images are read out of an object of this name."""
    return uri.lower().endswith((".tar", ".parquet"))


def read_members(
    uri: str,
    members: Sequence[Known],
    options: StorageOptions,
    limits: FetchLimits,
) -> list[BytesOrError]:
    """Read images out of one container, in order, each with its bytes or with a `FetchError`.

    A container that is no longer what the listing saw makes all of its images end as `changed`.

    Args:
        uri: the container.
        members: images in it.
        options: how storage is reached.
        limits: bounds of fetching.

    Raises:
        FileNotFoundError: there is no such container.
        OSError, obstore.exceptions.BaseError: it cannot be read, as a plain object could not.
    """
    if not is_container(uri):
        why = "images inside of anything but .tar and .parquet are not read"
        return [FetchError(ErrorCode.NOT_FOUND, why) for _ in members]
    file, info = open_object(uri, options, buffer_size=0, timeout_s=options.fetch_timeout_s)
    with file:
        results: dict[int, BytesOrError] = {}
        for place, known in enumerate(members):
            try:
                _check_same(known, info)
            except FetchError as error:
                results[place] = error
        rest = [place for place in range(len(members)) if place not in results]
        wanted = [members[place] for place in rest]
        try:
            if uri.lower().endswith(".tar"):
                found = read_from_tar(file, info, wanted, options, limits)
            else:
                found = _from_parquet(file, info, wanted, limits)
        except PreconditionError:
            changed = FetchError(ErrorCode.CHANGED, "the container changed while it was read")
            found = [changed] * len(rest)
        results |= zip(rest, found, strict=True)
    return [results[place] for place in range(len(members))]


def _check_same(known: Known, info: ObjectInfo) -> None:
    container = Known(info.uri, info.etag, None, info.last_modified)
    check_unchanged(replace(known, size_bytes=None), container)


def _from_parquet(
    file: BinaryIO, info: ObjectInfo, wanted: Sequence[Known], limits: FetchLimits
) -> list[BytesOrError]:
    try:
        parquet = pq.ParquetFile(file)
        column = find_image_column(info.uri, parquet.schema_arrow, limits.image_column)
        rows = {int(name) for known in wanted if _is_row(name := known.member or "")}
        cells = read_cells(parquet, column, sorted(rows)) if column else {}
    except SettingsError as error:
        return [FetchError(ErrorCode.NOT_FOUND, str(error))] * len(wanted)
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the file system's word; Parquet's own has no number
        return [damaged(" ".join(str(error).split())[:300])] * len(wanted)
    return [_cell(known, cells, limits) for known in wanted]


def _cell(known: Known, cells: dict[int, bytes | None], limits: FetchLimits) -> BytesOrError:
    member = known.member or ""
    data = cells.get(int(member)) if _is_row(member) else None
    if data is None:
        return FetchError(ErrorCode.NOT_FOUND, f"row {member} holds no image")
    try:
        check_size(len(data), limits)
    except FetchError as error:
        return error
    return data


def _is_row(member: str) -> bool:
    # No leading zeros: one row must not be two images.
    return (
        member.isascii() and member.isdecimal() and len(member) < 19 and str(int(member)) == member
    )
