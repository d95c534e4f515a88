"""Large files from object stores, fetched once a machine and not once a worker.

The folder is `UFD_RAY_CACHE`, else `ufd-ray` below `XDG_CACHE_HOME`, else `~/.cache/ufd-ray`. It
may be deleted at any time; nothing here ever does.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ufd_ray.errors import StorageError
from ufd_ray.storage.copies import ObjectVersion, download, object_version
from ufd_ray.storage.stores import StorageOptions
from ufd_ray.storage.uris import parse_uri


@dataclass(frozen=True)
class FileOnNode:
    """A file on this machine, and the bytes that were seen in it.

    Attributes:
        path: where it lies.
        sha256: of its bytes, 64 hex digits.
        size_bytes: their number.
    """

    path: Path
    sha256: str
    size_bytes: int


@contextmanager
def file_on_node(uri: str, options: StorageOptions) -> Iterator[FileOnNode]:
    """The bytes at `uri` as a local file: itself, the machine's cached copy, or one for the block.

    A cached copy is of one version of the object (etag, size, time of its last change), and its
    checksum is compared each time that it is taken. Of several workers that want the same object,
    one fetches it while the others wait.

    Raises:
        FileNotFoundError: nothing is there.
        StorageError: it cannot be read, or there is no room for it.
    """
    location = parse_uri(uri)
    if location.scheme == "file":
        yield describe_file(Path(location.key))
        return
    name = os.path.basename(location.key)
    version = object_version(uri, options)
    with ExitStack() as stack:
        try:
            found = _from_cache(uri, name, options, version)
        except OSError as error:
            print(
                f"warning: {uri} is not cached on this machine: {cache_folder()}:"
                f" {error.strerror or error}; UFD_RAY_CACHE names another folder"
            )
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ufd-ray-"))
            found = _private_copy(uri, Path(folder, name), options)
        yield found


def cache_folder() -> Path:
    """Where this machine keeps what it has fetched."""
    if named := os.environ.get("UFD_RAY_CACHE"):
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base, "ufd-ray")


@contextmanager
def one_at_a_time(name: str) -> Iterator[Path]:
    """Let one process of this machine at a time into the block of this name.

    Args:
        name: any text.

    Yields:
        A path in the cache folder that belongs to the name, without an ending.

    Raises:
        OSError: the folder cannot be written to.
    """
    place = cache_folder() / hashlib.sha256(name.encode()).hexdigest()[:32]
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with place.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # let go when the file is closed, and when we are killed
        yield place


def describe_file(path: Path) -> FileOnNode:
    """A file as it is now.

    Raises:
        FileNotFoundError: there is none.
        StorageError: it cannot be read.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror or error}") from error
    return FileOnNode(path, sha256, path.stat().st_size)


def _from_cache(uri: str, name: str, options: StorageOptions, version: ObjectVersion) -> FileOnNode:
    with one_at_a_time(json.dumps([uri, options.s3_endpoint, *version.facts])) as place:
        # In a folder of its own, since the name's ending says how the file is to be read.
        file, record = place / name, place.with_suffix(".sha256")
        if record.is_file() and file.is_file():
            found = describe_file(file)
            if found.sha256 == record.read_text():
                return found
            print(f"warning: the cached copy of {uri} has changed on disk; it is fetched anew")
        place.mkdir(mode=0o700, exist_ok=True)
        draft = place / f".fetching-{uuid.uuid4().hex}"
        try:
            sha256 = download(uri, draft, options, version)
            record.write_text(sha256)
            os.replace(draft, file)
        finally:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
        return FileOnNode(file, sha256, version.size_bytes)


def _private_copy(uri: str, file: Path, options: StorageOptions) -> FileOnNode:
    version = object_version(uri, options)
    try:
        sha256 = download(uri, file, options, version)
    except OSError as error:
        raise StorageError(
            f"{uri} cannot be copied to this machine: {file.parent}: {error.strerror or error};"
            " set UFD_RAY_CACHE or TMPDIR to a folder with room"
        ) from error
    return FileOnNode(file, sha256, version.size_bytes)
