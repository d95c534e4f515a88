"""Which images a run is about: listed ones, those that failed before, or those of earlier runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ufd_ray.errors import SettingsError
from ufd_ray.pipeline.inputs import list_inputs
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
    settings: ScoreSettings, folder: str, storage: StorageOptions, detector_id: str
) -> ManifestInfo:
    """Write the run's manifest to `folder`, and say what is in it.

    Raises:
        SettingsError: an input or a run that cannot be used.
        StorageError: something cannot be read or written.
    """
    if settings.input:
        ledger = find_ledger(settings, storage, detector_id)
        return list_inputs(settings, folder, storage, ledger=ledger)
    tables = _of_earlier_runs(settings, storage)
    info = write_manifest(folder, tables, storage, limit=settings.limit)
    print(_what_they_are(settings, info))
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


def count_earlier(settings: ScoreSettings, storage: StorageOptions) -> None:
    """Say how many images `--from-run` or `--retry-failed` would take; write nothing.

    Raises:
        SettingsError: a run that cannot be used.
        StorageError: something cannot be read.
    """
    with select_images(_of_earlier_runs(settings, storage), limit=settings.limit) as selection:
        print(_what_they_are(settings, selection.info))


def _of_earlier_runs(settings: ScoreSettings, storage: StorageOptions) -> Iterable[Any]:
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


def _what_they_are(settings: ScoreSettings, info: ManifestInfo) -> str:
    if settings.retry_failed:
        return (
            f"{info.num_images:,} images of run {settings.retry_failed} ended in a transient error"
        )
    names = ", ".join(settings.from_run)
    return f"{info.num_images:,} images of {names}, scored again from their embeddings"
