"""A published run → a sample of its images, to be labelled by a person."""

from __future__ import annotations

from dataclasses import asdict

from ufd_ray.evaluation.review import allocate, stratum_cuts
from ufd_ray.outcome import Outcome
from ufd_ray.settings import ReportSettings
from ufd_ray.storage import (
    StorageOptions,
    check_no_sample,
    find_scored,
    open_frame,
    utc_now,
    write_sample,
)


def report(settings: ReportSettings) -> Outcome:
    """Run the job. It needs neither Ray nor an image.

    Raises:
        SettingsError: there is no such run, nothing of it was scored, or the output is there.
        StorageError: rows cannot be read, or files not be written.
    """
    storage = StorageOptions.of(settings)
    check_no_sample(settings.output, storage)
    scored = find_scored(settings.run, storage)
    with open_frame(scored, storage) as frame:
        strata = frame.stratify(stratum_cuts(settings.sample, frame.num_verdicts))
        labels = allocate(
            [stratum.size for stratum in strata],
            [stratum.verdict for stratum in strata],
            settings.sample,
        )
        images = frame.draw(labels, settings.seed)
    scored.check_unchanged(storage)
    record = {
        "drawn_at": utc_now(),
        "scores": scored.identity,
        "seed": settings.seed,
        "counts": frame.counts,
        "strata": [
            asdict(stratum) | {"drawn": number}
            for stratum, number in zip(strata, labels, strict=True)
        ],
    }
    write_sample(settings.output, record, images, storage)
    counts = frame.counts
    print(
        f"{counts['rows']:,} rows: {counts['rows'] - counts['scored']:,} without a score, "
        f"{counts['scored'] - counts['distinct']:,} further names of the same bytes,"
        f" {counts['distinct']:,} images to draw from"
    )
    for stratum, number in zip(strata, labels, strict=True):
        print(
            f"stratum {stratum.stratum}: {stratum.verdict}, score {stratum.low:.6g} to"
            f" {stratum.high:.6g}: {number:,} of {stratum.size:,}"
        )
    print(f"{len(images):,} images to label (real, fake or unsure): {settings.output}")
    return Outcome.PUBLISHED
