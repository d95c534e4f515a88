"""What goes wrong with an input → one line of ours: the storage's fault, or its content's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
from botocore.exceptions import BotoCoreError, ClientError
from obstore.exceptions import BaseError, PreconditionError

from ufd_ray.errors import SettingsError, StorageError
from ufd_ray.storage.containers.tars import UNREADABLE
from ufd_ray.storage.foreign_errors import explain


@contextmanager
def told_in_one_line(
    uri: str,
    expected: str,
    *,
    flag: str = "--input",
    places: str = "a prefix or folder with objects below it, or a manifest, .tar, .parquet or S3"
    " Inventory",
) -> Iterator[None]:
    """Read an input within this block, and have its errors as ours.

    Args:
        uri: the input.
        expected: what it was read as, with its article.
        flag: that named it.
        places: what might lie there.

    Raises:
        SettingsError: nothing is there, or it is not what was expected.
        StorageError: the storage refuses, or it changed while it was read.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise SettingsError(f"{flag} {uri}: nothing there; expected {places}") from error
    except PreconditionError as error:
        raise StorageError(f"{flag} {uri}: it changed while it was read") from error
    except (BaseError, BotoCoreError, ClientError) as error:
        raise StorageError(f"{flag} {uri}: cannot be read: {explain(error)}") from error
    except (pa.ArrowException, OSError, *UNREADABLE) as error:
        why = " ".join(str(error).split())
        if isinstance(error, OSError) and error.errno is not None:  # what Arrow raises has none
            raise StorageError(f"{flag} {uri}: cannot be read: {why}") from error
        raise SettingsError(f"{flag} {uri}: cannot be read as {expected} ({why})") from error
