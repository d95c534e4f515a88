"""Whole objects by URI: read, write, write-if-absent. For our own files, not for crawled images."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import obstore
from botocore.exceptions import BotoCoreError
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError

from ufd_ray.errors import SettingsError, StorageError
from ufd_ray.storage.foreign_errors import explain
from ufd_ray.storage.stores import StorageOptions, open_store
from ufd_ray.storage.uris import parse_uri

_CHUNK = 8 * 2**20


def read_object(uri: str, options: StorageOptions) -> bytes:
    """The bytes at `uri`.

    Raises:
        FileNotFoundError: nothing is there.
        StorageError: it cannot be read.
    """
    location = parse_uri(uri)
    with _told_in_one_line(uri, "read"):
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
    with _told_in_one_line(uri, "written"):
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
    with _told_in_one_line(uri, "written"):
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
        with _told_in_one_line(uri, "looked up"):
            obstore.head(open_store(location.scheme, location.bucket, options), location.key)
    except FileNotFoundError:
        return False
    return True


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
    with _told_in_one_line(uri, "looked up"):
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
        with _told_in_one_line(uri, "read"):
            found = obstore.get(open_store(location.scheme, location.bucket, options), location.key)
            etag, chunks = found.meta["e_tag"], iter(found.stream(min_chunk_size=_CHUNK))
        while True:
            with _told_in_one_line(uri, "read"):
                chunk = next(chunks, None)
            if chunk is None:
                break
            digest.update(chunk)
            size += out.write(chunk)
    if (etag, size) != (version.etag, version.size_bytes):
        raise StorageError(f"{uri} changed while it was read; try again when it is written")
    return digest.hexdigest()


def check_writable(folder: str, options: StorageOptions) -> None:
    """Write, read and delete a small object at `--output`, before any work is done for it.

    It is read as well, since a KMS key may allow one and not the other.

    Raises:
        SettingsError: that cannot be done.
    """
    location = parse_uri(folder)
    if location.scheme == "file":
        # In the nearest folder that is there already, so that nothing is left behind.
        path = Path(location.key)
        folder_there = next(p for p in (path, *path.parents) if p.exists())
        trial = str(folder_there / f".writable-{uuid.uuid4().hex}")
    else:
        trial = f"{folder.rstrip('/')}/.writable-{uuid.uuid4().hex}"
    try:
        write_object(trial, b"", options)
        read_object(trial, options)
        delete_object(trial, options)
    except (StorageError, FileNotFoundError) as error:
        raise SettingsError(f"--output {folder}: not writable ({error})") from error


def delete_object(uri: str, options: StorageOptions) -> None:
    """Delete one object of ours; gone already is fine.

    Raises:
        StorageError: it cannot be deleted.
    """
    location = parse_uri(uri)
    with suppress(FileNotFoundError), _told_in_one_line(uri, "deleted"):
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
    with suppress(FileNotFoundError), _told_in_one_line(uris[0], "deleted"):
        store = open_store(location.scheme, location.bucket, options)
        obstore.delete(store, [parse_uri(uri).key for uri in uris])


def delete_folder(uri: str, options: StorageOptions) -> None:
    """Delete all that lies below a folder of ours, and the folder where there is such a thing.

    Raises:
        StorageError: something cannot be deleted.
    """
    location = parse_uri(uri)
    with suppress(FileNotFoundError), _told_in_one_line(uri, "deleted"):
        if location.scheme == "file":
            shutil.rmtree(location.key)
        elif keys := [parse_uri(found).key for found in list_folder(uri, options)]:
            obstore.delete(open_store(location.scheme, location.bucket, options), keys)


def drop_if_empty(uri: str) -> None:
    """Remove a local folder in which nothing is; stores have no folders."""
    location = parse_uri(uri)
    if location.scheme == "file":
        with suppress(OSError):
            Path(location.key).rmdir()


def drop_empty_folders(uri: str) -> None:
    """Remove the local folders at and below `uri` in which no file is; stores have no folders."""
    location = parse_uri(uri)
    if location.scheme == "file":
        for folder, _, _ in os.walk(location.key, topdown=False):
            with suppress(OSError):
                Path(folder).rmdir()


def tidy_up(uri: str, options: StorageOptions) -> None:
    """Delete a folder of ours that nobody needs; where that fails, say so and leave it."""
    try:
        delete_folder(uri, options)
    except StorageError as error:
        print(f"warning: left behind: {error}")


def list_folder(uri: str, options: StorageOptions) -> list[str]:
    """URIs of the objects below a folder of ours (whose names are all plain), sorted.

    Raises:
        StorageError: it cannot be listed.
    """
    location = parse_uri(uri)
    root = uri.rstrip("/")
    if location.scheme == "file":
        base = Path(location.key)
        return sorted(f"{root}/{p.relative_to(base)}" for p in base.rglob("*") if p.is_file())
    store = open_store(location.scheme, location.bucket, options)
    prefix = location.key.rstrip("/") + "/"
    with _told_in_one_line(uri, "listed"):
        found = [entry["path"] for page in obstore.list(store, prefix) for entry in page]
    return sorted(f"{root}/{path.removeprefix(prefix)}" for path in found)


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
def _told_in_one_line(uri: str, verb: str) -> Iterator[None]:
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
