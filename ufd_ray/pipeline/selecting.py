"""Which images a run is about: listed ones, stored embeddings', or those of earlier runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ufd_ray.errors import SettingsError
from ufd_ray.pipeline.inputs import list_inputs, say_what_is_new
from ufd_ray.pipeline.stored_input import Stored
from ufd_ray.settings import ScoreSettings
from ufd_ray.storage import (
    Ledger,
    ManifestInfo,
    PublishedRun,
    StorageOptions,
    failed_images,
    find_runs,
    scored_images,
    select_images,
    write_manifest,
)


def list_images(
    settings: ScoreSettings,
    stored: Stored | None,
    folder: str,
    storage: StorageOptions,
    detector_id: str,
) -> ManifestInfo:
    """Write the run's manifest to `folder`, and say what is in it.

    Args:
        settings: the job's.
        stored: what `--embeddings` names, as `find_stored` gives it.
        folder: where the manifest's files go.
        storage: how storage is reached.
        detector_id: for the ledger.

    Raises:
        SettingsError: an input or a run that cannot be used.
        StorageError: something cannot be read or written.
    """
    ledger = find_ledger(settings, storage, detector_id)
    if settings.input:
        return list_inputs(settings, folder, storage, ledger=ledger)
    tables = _tables(settings, stored, storage)
    info = write_manifest(folder, tables, storage, limit=settings.limit, ledger=ledger)
    _say(settings, stored, info)
    return info


def find_ledger(
    settings: ScoreSettings, storage: StorageOptions, detector_id: str
) -> Ledger | None:
    """What `--incremental` goes by; None without it.

    Raises:
        SettingsError: the record of a published run cannot be read.
        StorageError: the storage does not say.
    """
    return Ledger(settings.output, storage, detector_id) if settings.incremental else None


def count_images(
    settings: ScoreSettings, stored: Stored | None, storage: StorageOptions, detector_id: str
) -> None:
    """Say how many images a run without `--input` would take; write nothing.

    Arguments as for `list_images`.

    Raises:
        SettingsError: a run or file that cannot be used.
        StorageError: something cannot be read.
    """
    tables = _tables(settings, stored, storage)
    ledger = find_ledger(settings, storage, detector_id)
    with select_images(tables, limit=settings.limit, ledger=ledger) as selection:
        _say(settings, stored, selection.info)


def _tables(
    settings: ScoreSettings, stored: Stored | None, storage: StorageOptions
) -> Iterable[Any]:
    if stored is not None:
        return stored.tables()
    if settings.retry_failed:
        names = [settings.retry_failed]
        (run,) = find_runs(settings.output, names, "--retry-failed", storage)
        check_reads_alike(settings, run)
        return failed_images(run, storage)
    runs = find_runs(settings.output, settings.from_run, "--from-run", storage)
    return scored_images(runs, storage)


def check_reads_alike(settings: ScoreSettings, run: PublishedRun) -> None:
    """Refuse to retry images in a way in which none of them could be read, now and for good.

    Raises:
        SettingsError: the run needed a flag to read its images, which is not given.
    """
    then = run.document.get("settings", {})
    column = then.get("image_column")
    if then.get("allow_http") and not settings.allow_http:
        needed = "--allow-http"
    elif column != settings.image_column:
        needed = f"--image-column {column}" if column else "no --image-column"
    else:
        return
    raise SettingsError(
        f"--retry-failed {run.run_id}: that run read its images with {needed}; give the same"
    )


def _say(settings: ScoreSettings, stored: Stored | None, info: ManifestInfo) -> None:
    if stored is not None:
        stored.say(info)
        if settings.incremental:
            say_what_is_new(info)
    elif settings.retry_failed:
        print(
            f"{info.num_images:,} images of run {settings.retry_failed} ended in a transient error"
        )
    else:
        names = ", ".join(settings.from_run)
        print(f"{info.num_images:,} images of {names}, scored again from their embeddings")
