"""A run's folder `ROOT/runs/RUN_ID`: claimed once, published whole, `_SUCCESS` last of all."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ufd_ray.errors import SettingsError, StorageError
from ufd_ray.outcome import Outcome
from ufd_ray.storage.documents import describe_differences, find_document, write_document
from ufd_ray.storage.objects import (
    delete_folder,
    object_exists,
    write_object,
)
from ufd_ray.storage.stores import StorageOptions
from ufd_ray.storage.uris import join_uri


@dataclass(frozen=True)
class RunFolder:
    """The places of one run.

    Attributes:
        root: what `--output` names.
        run_id: the run's name.
        options: how storage is reached.
    """

    root: str
    run_id: str
    options: StorageOptions

    @property
    def uri(self) -> str:
        """The run's folder."""
        return join_uri(self.root, "runs", self.run_id)

    @property
    def manifest(self) -> str:
        """The run's own manifest: what it went by, whatever the bucket does meanwhile."""
        return join_uri(self.uri, "manifest")

    @property
    def parts(self) -> str:
        """Where rows are appended until publication."""
        return join_uri(self.uri, "parts")

    def published(self, fingerprint: dict[str, Any]) -> Outcome | None:
        """How this very run ended, if it has been published and nothing is left to do.

        Args:
            fingerprint: the settings that decide what comes out.

        Raises:
            SettingsError: the name belongs to another run, or to an unfinished one.
        """
        earlier = find_document(self.uri, "run.json", f"--output {self.root}", self.options)
        if earlier is None:
            return None
        if differences := describe_differences(earlier.get("fingerprint", {}), fingerprint):
            raise SettingsError(
                f"--run-id {self.run_id} belongs to a run with other settings: {differences};"
                " choose another id"
            )
        if not object_exists(join_uri(self.uri, "_SUCCESS"), self.options):
            raise SettingsError(
                f"--run-id {self.run_id} is unfinished (outcome {earlier.get('outcome')!r}) and"
                " cannot be taken up again; choose another id"
            )
        return Outcome.of(earlier.get("outcome"))

    def claim(self, content: dict[str, Any]) -> None:
        """Take the name for this run; a name is taken once.

        Args:
            content: the first `run.json`.

        Raises:
            SettingsError: another run has taken it, or nothing can be written there.
        """
        try:
            write_document(self.uri, "run.json", content, self.options, if_absent=True)
        except FileExistsError as error:
            raise SettingsError(
                f"--run-id {self.run_id} has just been taken by another run; choose another id"
            ) from error
        except StorageError as error:
            raise SettingsError(f"--output {self.root}: not writable ({error})") from error

    def release(self) -> None:
        """Give the name back: nothing was begun under it."""
        delete_folder(self.uri, self.options)

    def finish(self, content: dict[str, Any], report: str) -> None:
        """Write `report.html` and `run.json`, drop the parts and, last of all, say `_SUCCESS`."""
        write_object(
            join_uri(self.uri, "report.html"),
            report.encode("utf-8", "backslashreplace"),
            self.options,
        )
        write_document(self.uri, "run.json", content, self.options)
        delete_folder(self.parts, self.options)
        write_object(join_uri(self.uri, "_SUCCESS"), b"", self.options)

    def fail(self, content: dict[str, Any]) -> None:
        """Leave a `run.json` that says so; nothing is published."""
        write_document(self.uri, "run.json", content, self.options)


def new_run_id() -> str:
    """A run id from the time (UTC), with six random hex digits against twins."""
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ-") + secrets.token_hex(3)


def utc_now() -> str:
    """This moment, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
