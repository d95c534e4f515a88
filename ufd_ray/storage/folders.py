"""Folders of our own files, local or in a store, where they are but a part of names."""

from __future__ import annotations

import os
import shutil
import uuid
from contextlib import suppress
from pathlib import Path

import obstore

from ufd_ray.errors import SettingsError, StorageError
from ufd_ray.storage.objects import delete_object, read_object, told_in_one_line, write_object
from ufd_ray.storage.stores import StorageOptions, open_store
from ufd_ray.storage.uris import parse_uri


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


def delete_folder(uri: str, options: StorageOptions) -> None:
    """Delete all that lies below a folder of ours, and the folder where there is such a thing.

    Raises:
        StorageError: something cannot be deleted.
    """
    location = parse_uri(uri)
    with suppress(FileNotFoundError), told_in_one_line(uri, "deleted"):
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
    with told_in_one_line(uri, "listed"):
        found = [entry["path"] for page in obstore.list(store, prefix) for entry in page]
    return sorted(f"{root}/{path.removeprefix(prefix)}" for path in found)
