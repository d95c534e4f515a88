"""Deleting runs and embeddings so that, killed anywhere, nobody ever reads half of one.

A run goes in this order: its `run.json` says `pruned`, from which moment no job of ours reads it or
goes on with it; `_SUCCESS` goes, by which everybody else tells; then all the rest of ours, and
`run.json` last. Whatever is left after a kill says of itself that it is to go. Embeddings: first
`run.json` names them no more, then they go.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from ufd_ray.errors import LeaseError, SettingsError
from ufd_ray.storage.documents import find_document, write_document
from ufd_ray.storage.folders import drop_empty_folders
from ufd_ray.storage.objects import delete_object, delete_objects
from ufd_ray.storage.runs.contents import list_contents
from ufd_ray.storage.runs.folder import PRUNED, utc_now
from ufd_ray.storage.runs.history import run_names
from ufd_ray.storage.runs.lease import Lease
from ufd_ray.storage.runs.pruning_plan import Plan, PruningPolicy, Removal, plan_pruning
from ufd_ray.storage.stores import StorageOptions
from ufd_ray.storage.uris import join_uri

_LEASE_S = 60.0
_NUM_THREADS = 16
_NEVER = "_NEVER"
"""Name of an object that ends no lease: what we work on has its `_SUCCESS` already."""


def prune(
    root: str,
    policy: PruningPolicy,
    options: StorageOptions,
    now: datetime,
    say: Callable[[str], None] = print,
) -> Plan:
    """Delete what the policy lets go of, and what an earlier call had begun to delete.

    Args:
        root: what `--output` of the runs named.
        policy: what may go.
        options: how storage is reached.
        now: this moment, in UTC.
        say: takes each line of the plan before anything goes, and what turned out otherwise.

    Raises:
        SettingsError: there is no run below `root`, or a published one's `run.json` cannot be read.
        StorageError: something cannot be read or deleted; the next call goes on from there.
        LeaseError: another process prunes, or makes `current`.
    """
    if not run_names(root, options):  # before anything is written to what may be a wrong place
        raise SettingsError(f"--output {root}: no run below {join_uri(root, 'runs')}/")
    # The lease of `current`: what is brought together there is not deleted at the same time.
    with (
        Lease(join_uri(root, "current"), options, _LEASE_S, done=_NEVER) as alone,
        ThreadPoolExecutor(_NUM_THREADS, thread_name_prefix="prune") as threads,
    ):
        plan = plan_pruning(root, policy, options, now)
        for line in plan.lines():
            say(line)

        def carry_out(removal: Removal) -> str | None:
            alone.check()
            try:
                _carry_out(removal, options)
            except LeaseError as error:
                return f"{removal.what} {removal.run_id}: stays after all: {error}"
            return None

        # At once, each run in one of them only: where a driver was killed a minute is waited.
        for stays in threads.map(carry_out, plan.removals):
            if stays is not None:
                say(stays)
        alone.delete()
    return plan


def _carry_out(removal: Removal, options: StorageOptions) -> None:
    # Under the run's own lease: `score` may be about to go on with it.
    with Lease(removal.uri, options, _LEASE_S, done=_NEVER) as lease:
        document = find_document(removal.uri, "run.json", f"run {removal.run_id}", options)
        if document is None and removal.document is not None:
            lease.delete()  # our lease is all that is left
            raise LeaseError("it is gone by now")
        if document != removal.document:
            raise LeaseError("its run.json has changed meanwhile")
        if removal.what == "run":
            _delete_run(removal.uri, document, lease, options)
        else:
            _delete_embeddings(removal.uri, document or {}, lease, options)


def _delete_run(
    uri: str, document: dict[str, Any] | None, lease: Lease, options: StorageOptions
) -> None:
    if document is not None and document.get("outcome") != PRUNED:
        gone = {"outcome": PRUNED, "pruned_at": utc_now()}
        lease.check()
        write_document(uri, "run.json", document | gone, options)
    delete_object(join_uri(uri, "_SUCCESS"), options)
    _delete_ours(uri, options, but=("run.json", "lease/"))
    lease.delete()
    delete_object(join_uri(uri, "run.json"), options)
    drop_empty_folders(uri)


def _delete_embeddings(
    uri: str, document: dict[str, Any], lease: Lease, options: StorageOptions
) -> None:
    files = document["files"]
    gone = [file for file in files if file["name"].startswith("embeddings/")]
    if gone:
        pruned = {"at": utc_now(), "num_files": len(gone)} | {
            name: sum(file.get(name, 0) for file in gone) for name in ("num_rows", "num_bytes")
        }
        rest = [file for file in files if file not in gone]
        document = document | {"files": rest, "embeddings_pruned": pruned}
        lease.check()
        write_document(uri, "run.json", document, options)
    # Embeddings last, by which the next call sees that it is not done; none but us looks for them.
    lease.delete()
    _delete_ours(uri, options, below="embeddings/")
    drop_empty_folders(join_uri(uri, "embeddings"))


def _delete_ours(
    uri: str, options: StorageOptions, *, below: str = "", but: tuple[str, ...] = ()
) -> None:
    names = [stored.name for stored in list_contents(uri, options) if stored.is_ours]
    wanted = [name for name in names if name.startswith(below) and not name.startswith(but)]
    delete_objects([join_uri(uri, *name.split("/")) for name in wanted], options)
