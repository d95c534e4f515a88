"""Whole objects by URI: read, write, write-if-absent. For our own files, not for crawled images."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import obstore
from botocore.exceptions import BotoCoreError
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError

from ufd_ray.errors import StorageError
from ufd_ray.storage.foreign_errors import explain
from ufd_ray.storage.stores import StorageOptions, open_store
from ufd_ray.storage.uris import parse_uri


def read_object(uri: str, options: StorageOptions) -> bytes:
    """The bytes at `uri`.

    Raises:
        FileNotFoundError: nothing is there.
        StorageError: it cannot be read.
    """
    location = parse_uri(uri)
    with told_in_one_line(uri, "read"):
        if location.scheme == "file":
            return Path(location.key).read_bytes()
        store = open_store(location.scheme, location.bucket, options)
        return bytes(obstore.get(store, location.key).bytes())


def write_object(
    uri: str, data: bytes, options: StorageOptions, *, if_absent: bool = False
) -> None:
    """Put `data` at `uri`, whole or not at all.

    Args:
        uri: where.
        data: what.
        options: how storage is reached.
        if_absent: leave what is there alone, and say so.

    Raises:
        FileExistsError: `if_absent`, and something is there.
        StorageError: it cannot be written.
    """
    location = parse_uri(uri)
    with told_in_one_line(uri, "written"):
        if location.scheme == "file":
            _write_file(Path(location.key), data, if_absent)
            return
        store = open_store(location.scheme, location.bucket, options)
        obstore.put(store, location.key, data, mode="create" if if_absent else "overwrite")


def write_from(uri: str, file: Path, options: StorageOptions) -> None:
    """Put the bytes of a local file at `uri`, whole or not at all, and never whole in memory.

    Raises:
        StorageError: it cannot be written.
    """
    location = parse_uri(uri)
    with told_in_one_line(uri, "written"):
        if location.scheme == "file":
            with _drafted(Path(location.key)) as draft:
                shutil.copyfile(file, draft)
                os.replace(draft, location.key)
            return
        store = open_store(location.scheme, location.bucket, options)
        obstore.put(store, location.key, file, mode="overwrite")


def object_exists(uri: str, options: StorageOptions) -> bool:
    """Whether an object (no folder) is at `uri`.

    Raises:
        StorageError: the storage does not say.
    """
    location = parse_uri(uri)
    if location.scheme == "file":
        return Path(location.key).is_file()
    if not location.key or location.key.endswith("/"):
        return False
    try:
        with told_in_one_line(uri, "looked up"):
            obstore.head(open_store(location.scheme, location.bucket, options), location.key)
    except FileNotFoundError:
        return False
    return True


def delete_object(uri: str, options: StorageOptions) -> None:
    """Delete one object of ours; gone already is fine.

    Raises:
        StorageError: it cannot be deleted.
    """
    location = parse_uri(uri)
    with suppress(FileNotFoundError), told_in_one_line(uri, "deleted"):
        if location.scheme == "file":
            Path(location.key).unlink()
        else:
            obstore.delete(open_store(location.scheme, location.bucket, options), location.key)


def delete_objects(uris: Sequence[str], options: StorageOptions) -> None:
    """Delete objects of ours that lie in one place; gone already is fine.

    Raises:
        StorageError: one cannot be deleted; others may be gone by then.
    """
    if not uris:
        return
    location = parse_uri(uris[0])
    if location.scheme == "file":
        for uri in uris:
            delete_object(uri, options)
        return
    with suppress(FileNotFoundError), told_in_one_line(uris[0], "deleted"):
        store = open_store(location.scheme, location.bucket, options)
        obstore.delete(store, [parse_uri(uri).key for uri in uris])


def _write_file(path: Path, data: bytes, if_absent: bool) -> None:
    with _drafted(path) as draft:
        draft.write_bytes(data)
        # A hard link is refused when the name is taken: the file systems' own put-if-absent.
        if if_absent:
            os.link(draft, path)
        else:
            os.replace(draft, path)


@contextmanager
def _drafted(path: Path) -> Iterator[Path]:
    """A name beside `path` to write under first; what is left of it goes at the end."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(f"{path.parent} is a file") from error
    draft = path.with_name(f".writing-{uuid.uuid4().hex}")
    try:
        yield draft
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def told_in_one_line(uri: str, verb: str) -> Iterator[None]:
    """Errors of any client as ours, without what must not be shown.

    Raises:
        FileNotFoundError: nothing is there.
        FileExistsError: something is.
        StorageError: anything else; says what could not be done (`read`, `written`, …).
    """
    # `from None`: a client's error quotes the server's answer, which may quote our signed request;
    # as a cause it would stand in tracebacks.
    try:
        yield
    except (NotFoundError, FileNotFoundError) as error:
        if "NoSuchBucket" in str(error):
            raise StorageError(f"{uri} cannot be {verb}: there is no such bucket") from None
        if verb == "written":
            raise StorageError(f"{uri} cannot be written: there is no such place") from None
        raise FileNotFoundError(f"{uri}: nothing is there") from None
    except (AlreadyExistsError, FileExistsError):
        raise FileExistsError(f"{uri} exists already") from None
    except (BaseError, BotoCoreError, OSError) as error:
        raise StorageError(f"{uri} cannot be {verb}: {explain(error)}") from None
