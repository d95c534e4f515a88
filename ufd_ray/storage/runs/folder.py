"""A run's folder `ROOT/runs/RUN_ID`: begun, taken up again, published whole, `_SUCCESS` last."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ufd_ray.errors import SettingsError, StorageError
from ufd_ray.outcome import Outcome
from ufd_ray.storage.documents import describe_differences, find_document, write_document
from ufd_ray.storage.folders import delete_folder
from ufd_ray.storage.objects import delete_object, object_exists, write_object
from ufd_ray.storage.stores import StorageOptions
from ufd_ray.storage.uris import join_uri

PRUNED = "pruned"
"""The outcome of a run that is being deleted: nobody reads it or goes on with it."""
PART_FILE = r"part-[0-9]{5,}\.parquet"
"""Name of a published file, as a regular expression."""


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

    @property
    def checkpoint(self) -> str:
        """Which rows lie in `parts/`, as Ray Data keeps account of them."""
        return join_uri(self.uri, "checkpoint")

    def published(self, fingerprint: dict[str, Any]) -> Outcome | None:
        """How this very run ended, if it has been published and nothing is left to do.

        Args:
            fingerprint: what decides the rows, as far as it is known by now.

        Raises:
            SettingsError: the name belongs to another run.
        """
        earlier = self.earlier(fingerprint)
        if earlier is None or not object_exists(join_uri(self.uri, "_SUCCESS"), self.options):
            return None
        return Outcome.of(earlier.get("outcome"))

    def earlier(self, fingerprint: dict[str, Any]) -> dict[str, Any] | None:
        """The `run.json` of this very run, if it was begun before. Arguments as for `published`.

        Raises:
            SettingsError: the name belongs to another run, or what it says cannot be gone by.
        """
        earlier = find_document(self.uri, "run.json", f"--output {self.root}", self.options)
        if earlier is None:
            return None
        if earlier.get("outcome") == PRUNED:
            raise SettingsError(
                f"--run-id {self.run_id}: that run is being deleted; let jobs/prune.py come to its"
                " end, or choose another id"
            )
        given = earlier.get("fingerprint")
        then = given if isinstance(given, dict) else {}
        if differences := describe_differences(
            {name: then[name] for name in fingerprint if name in then}, fingerprint
        ):
            raise SettingsError(
                f"--run-id {self.run_id} belongs to a run with other settings: {differences};"
                " choose another id"
            )
        if "manifest" in earlier and not _can_go_on(earlier):
            raise SettingsError(
                f"--run-id {self.run_id}: {self.uri}/run.json is damaged; delete {self.uri}, or"
                " choose another id"
            )
        return earlier

    def record(self, content: dict[str, Any]) -> None:
        """Bring `run.json` up to date.

        Raises:
            StorageError: it cannot be written.
        """
        write_document(self.uri, "run.json", content, self.options)

    def begin(self, content: dict[str, Any]) -> None:
        """Write the first `run.json`, with nothing beside it that an earlier try has left.

        Raises:
            SettingsError: nothing can be written there.
        """
        try:
            delete_object(join_uri(self.uri, "_SUCCESS"), self.options)
            for folder in (self.manifest, self.parts, self.checkpoint):
                delete_folder(folder, self.options)
            self.record(content)
        except StorageError as error:
            raise SettingsError(f"--output {self.root}: not writable ({error})") from error

    def release(self) -> None:
        """Give the name back: nothing was begun under it. Its lease goes by itself, after this."""
        delete_folder(self.manifest, self.options)
        delete_object(join_uri(self.uri, "run.json"), self.options)

    def clear_published(self) -> None:
        """Delete what a publication that did not come to its end has left."""
        for name in ("scores", "embeddings"):
            delete_folder(join_uri(self.uri, name), self.options)

    def finish(self, content: dict[str, Any], report: str) -> None:
        """Write `report.html` and the `run.json` that says how the run ended: it can be sealed."""
        write_object(
            join_uri(self.uri, "report.html"),
            report.encode("utf-8", "backslashreplace"),
            self.options,
        )
        self.record(content)

    def seal(self) -> None:
        """Drop what only the work needed and, last of all, say `_SUCCESS`."""
        delete_folder(self.parts, self.options)
        delete_folder(self.checkpoint, self.options)
        write_object(join_uri(self.uri, "_SUCCESS"), b"", self.options)


def _can_go_on(record: dict[str, Any]) -> bool:
    """Whether all is there that a later process takes over from a run with a manifest."""
    manifest, files = record["manifest"], record.get("files", [])
    return (
        isinstance(manifest, dict)
        and isinstance(manifest.get("num_images"), int)
        and isinstance(record.get("started_at"), str)
        and isinstance(record.get("num_attempts"), int)
        and (isinstance(files, list) and all(isinstance(file, dict) for file in files))
        and (bool(files) or not Outcome.is_published(record.get("outcome")))
    )


def new_run_id() -> str:
    """A run id from the time (UTC), with six random hex digits against twins."""
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ-") + secrets.token_hex(3)


def utc_now() -> str:
    """This moment, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
