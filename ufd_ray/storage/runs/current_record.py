"""What `current.json` says: whether `current/` is complete, and of which runs it holds rows."""

from __future__ import annotations

from typing import Any

from ufd_ray.errors import SettingsError
from ufd_ray.storage.documents import find_document
from ufd_ray.storage.objects import object_exists
from ufd_ray.storage.stores import StorageOptions
from ufd_ray.storage.uris import join_uri


def read_current(uri: str, given: str, options: StorageOptions) -> dict[str, Any]:
    """The `current.json` of a folder that is complete.

    Args:
        uri: `ROOT/current`.
        given: how the user named it, for the message.
        options: how storage is reached.

    Raises:
        SettingsError: it is not complete, or cannot be read.
    """
    document = find_document(uri, "current.json", given, options)
    if document is None or not object_exists(join_uri(uri, "_SUCCESS"), options):
        raise SettingsError(f"{given}: {uri} is not complete; make it with jobs/current.py")
    return document


def runs_held(uri: str, given: str, document: dict[str, Any]) -> set[str]:
    """The runs of which `current` has rows. Arguments as for `read_current`.

    Raises:
        SettingsError: its record does not say.
    """
    runs = document.get("runs")
    for run in runs if isinstance(runs, list) else [None]:
        told = (run.get("run_id"), run.get("num_rows")) if isinstance(run, dict) else (None, None)
        if not (isinstance(told[0], str) and isinstance(told[1], int)):
            raise SettingsError(
                f"{given}: {uri}/current.json does not say which runs it has rows of; make it"
                " anew with jobs/current.py"
            )
    return {run["run_id"] for run in runs or [] if run["num_rows"]}
