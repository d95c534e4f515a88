"""What a policy lets go of below `ROOT/runs/`, what it keeps and why; nothing is changed here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from ufd_ray.errors import SettingsError
from ufd_ray.outcome import Outcome
from ufd_ray.storage.documents import find_document
from ufd_ray.storage.runs.contents import Stored, find_link, list_contents, printable
from ufd_ray.storage.runs.embeddings import embedding_files
from ufd_ray.storage.runs.folder import PRUNED
from ufd_ray.storage.runs.history import PublishedRun, published_runs, run_names
from ufd_ray.storage.runs.standing_rows import count_standing
from ufd_ray.storage.stores import StorageOptions
from ufd_ray.storage.uris import join_uri


@dataclass(frozen=True)
class PruningPolicy:
    """What may go, by age in days; None: nothing of that kind.

    Attributes:
        runs: published runs, after they finished.
        embeddings: kept embeddings of published runs, after these finished.
        unfinished: runs that were not published, after their last sign of life.
        forget: published runs that may go although they hold rows that nothing stands in for.
    """

    runs: int | None = None
    embeddings: int | None = None
    unfinished: int | None = None
    forget: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Removal:
    """Something that goes.

    Attributes:
        what: all of a run, or its embeddings.
        run_id: whose.
        uri: the run's folder.
        why: what it is, for a person.
        document: the `run.json` by which this was decided; None: there is none.
        num_files: our files that go.
        num_bytes: their size.
        num_foreign: files in the folder that are not ours, and stay.
    """

    what: Literal["run", "embeddings"]
    run_id: str
    uri: str
    why: str
    document: dict[str, Any] | None
    num_files: int
    num_bytes: int
    num_foreign: int

    def __str__(self) -> str:
        rest = f"; {self.num_foreign:,} files that are not ours stay" if self.num_foreign else ""
        size = f"{self.num_files:,} files, {self.num_bytes:,} bytes"
        return f"{self.what} {self.run_id}: goes ({self.why}): {size}{rest}"


@dataclass(frozen=True)
class Plan:
    """What goes, and lines for what was looked at and stays."""

    removals: tuple[Removal, ...]
    stays: tuple[str, ...]

    def lines(self) -> list[str]:
        """For a person: a line for each, and the sum of what goes."""
        num_files = sum(removal.num_files for removal in self.removals)
        num_bytes = sum(removal.num_bytes for removal in self.removals)
        return [
            *self.stays,
            *map(str, self.removals),
            f"{len(self.removals):,} go, {num_files:,} files, {num_bytes:,} bytes",
        ]


def plan_pruning(root: str, policy: PruningPolicy, options: StorageOptions, now: datetime) -> Plan:
    """Decide what goes.

    Args:
        root: what `--output` of the runs named.
        policy: what may go.
        options: how storage is reached.
        now: this moment, in UTC.

    Raises:
        SettingsError: there is no run below `root`, or a published one's `run.json` cannot be read.
        StorageError: something cannot be listed, or scores cannot be read: nothing is decided then.
    """
    return _Planner(root, policy, options, now).plan()


class _Planner:
    def __init__(
        self, root: str, policy: PruningPolicy, options: StorageOptions, now: datetime
    ) -> None:
        self._root = root
        self._policy = policy
        self._options = options
        self._now = now
        self._removals: list[Removal] = []
        self._stays: list[str] = []
        self._readers: dict[str, str] = {}
        """Which unfinished run reads a run's embeddings, by that one's id."""
        self._links: dict[str, str] = {}
        """Runs that lie, all or in part, behind a link: it, by their ids."""

    def plan(self) -> Plan:
        names = run_names(self._root, self._options)
        if not names:
            raise SettingsError(
                f"--output {self._root}: no run below {join_uri(self._root, 'runs')}/"
            )
        for name in names:
            if link := find_link(join_uri(self._root, "runs", name)):
                self._links[name] = link
                self._keep(f"run {name}: left alone, and counts for nothing here: {link} is a link")
        found = published_runs(self._root, self._options)
        # What a link shows may be another run once more, which stands in for nothing.
        published = [run for run in found if run.run_id not in self._links]
        for name in sorted({*names} - {run.run_id for run in found}):
            self._look_at_unpublished(name)
        self._look_at_published(published)
        gone = {removal.run_id for removal in self._removals}
        for run in published:
            if run.run_id not in gone:
                self._look_at_embeddings(run)
        return Plan(tuple(self._removals), tuple(self._stays))

    def _look_at_unpublished(self, name: str) -> None:
        uri = join_uri(self._root, "runs", name)
        try:
            document = find_document(uri, "run.json", f"run {name}", self._options)
        except SettingsError as error:
            return self._keep(f"{error}: left alone, since it may be anybody's")
        if name in self._links:
            return self._note_reads(name, document)
        found = list_contents(uri, self._options)
        if document is not None and document.get("outcome") == PRUNED:
            return self._remove_run(name, "its deletion had begun", document, found)
        if not found or self._policy.unfinished is None:
            return self._note_reads(name, document)
        only_a_lease = all(stored.name.startswith("lease/") and stored.is_ours for stored in found)
        if document is None and not only_a_lease:
            return self._keep(f"run {name}: left alone: without run.json it may be anybody's")
        if document is not None and Outcome.is_published(document.get("outcome")):
            return self._keep(
                f"run {name}: stays: it lacks nothing but _SUCCESS; submit it once more, or delete"
                f" {uri}"
            )
        silent = self._now - max(stored.modified for stored in found)
        if silent <= timedelta(days=self._policy.unfinished):
            return self._note_reads(name, document)
        why = f"not published, last sign of life {silent.days} days ago"
        return self._remove_run(name, why, document, found)

    def _note_reads(self, name: str, document: dict[str, Any] | None) -> None:
        """What an unfinished run that stays still needs of published ones."""
        settings = (document or {}).get("settings")
        from_run = settings.get("from_run") if isinstance(settings, dict) else None
        for earlier in from_run if isinstance(from_run, list) else []:
            self._readers[str(earlier)] = name

    def _look_at_published(self, published: Sequence[PublishedRun]) -> None:
        for name in sorted(self._policy.forget - {run.run_id for run in published}):
            self._keep(f"--forget {name}: there is no published run of that name (any more)")
        if self._policy.runs is None:
            return
        old = [run for run in published if self._is_older(run, self._policy.runs)]
        free = [run for run in old if not self._is_read(run)]
        forgotten = {run.run_id for run in free} & self._policy.forget
        if not free:
            return
        standing = count_standing(self._root, published, self._options)
        # What is forgotten stands in for nothing: its images' older rows are the newest again.
        rest = [run for run in published if run.run_id not in forgotten]
        then = count_standing(self._root, rest, self._options) if forgotten else standing
        for run in free:
            name, why = run.run_id, f"finished {self._age(run).days} days ago"
            if name in forgotten:
                self._remove_published(run, f"{why}; {standing[name]:,} images lose their row")
            elif then[name]:
                self._keep(
                    f"run {name}: stays: of {then[name]:,} images no newer run has such a row"
                    f" (--forget {name} lets it go)"
                )
            else:
                self._remove_published(run, f"{why}; newer runs have all its images")

    def _look_at_embeddings(self, run: PublishedRun) -> None:
        days = self._policy.embeddings
        named = embedding_files(run.uri, run.document)
        if named and (days is None or not self._is_older(run, days) or self._is_read(run)):
            return
        if not named and "embeddings_pruned" not in run.document:
            return
        found = list_contents(join_uri(run.uri, "embeddings"), self._options)
        found = [replace(stored, name=f"embeddings/{stored.name}") for stored in found]
        why = (
            f"finished {self._age(run).days} days ago; --from-run {run.run_id} and reuse by content"
            " lose them"
            if named
            else "their deletion had begun"
        )
        if named:
            _check_files(run)
        if named or found:
            self._remove("embeddings", run.run_id, run.uri, why, run.document, found)

    def _is_older(self, run: PublishedRun, days: int) -> bool:
        try:
            return self._age(run) > timedelta(days=days)
        except ValueError:
            self._keep(f"run {run.run_id}: stays: run.json does not say when it finished")
            return False

    def _age(self, run: PublishedRun) -> timedelta:
        finished = datetime.fromisoformat(str(run.document.get("finished_at")))
        if finished.tzinfo is None:
            raise ValueError("no time zone")
        return self._now - finished

    def _is_read(self, run: PublishedRun) -> bool:
        reader = self._readers.get(run.run_id)
        if reader:
            self._keep(f"run {run.run_id}: stays: unfinished run {reader} scores it (--from-run)")
        return reader is not None

    def _remove_published(self, run: PublishedRun, why: str) -> None:
        found = list_contents(run.uri, self._options)
        self._remove_run(run.run_id, why, run.document, found)

    def _remove_run(
        self, name: str, why: str, document: dict[str, Any] | None, found: Sequence[Stored]
    ) -> None:
        uri = join_uri(self._root, "runs", name)
        self._remove("run", name, uri, why, document, found)

    def _remove(
        self,
        what: Literal["run", "embeddings"],
        name: str,
        uri: str,
        why: str,
        document: dict[str, Any] | None,
        found: Sequence[Stored],
    ) -> None:
        ours = [stored for stored in found if stored.is_ours]
        num_bytes = sum(stored.num_bytes for stored in ours)
        num_foreign = len(found) - len(ours)
        self._removals.append(
            Removal(what, name, uri, why, document, len(ours), num_bytes, num_foreign)
        )

    def _keep(self, line: str) -> None:
        line = printable(line)
        if line not in self._stays:
            self._stays.append(line)


def _check_files(run: PublishedRun) -> None:
    """Whether `run.json` describes its files as somebody needs who writes it anew without some."""
    for file in run.document["files"]:
        numbers = [file.get(name, 0) for name in ("num_rows", "num_bytes")]
        if not (isinstance(file["name"], str) and all(isinstance(n, int) for n in numbers)):
            raise SettingsError(
                f"{run.uri}: run.json does not say of each file its name, num_rows and num_bytes:"
                f" {file!r}"[:500]
            )
