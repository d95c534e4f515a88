"""`python jobs/export.py --help` says what it does."""

from ufd_ray.command_line import run_job
from ufd_ray.outcome import Outcome
from ufd_ray.settings import ExportSettings


def main(settings: ExportSettings) -> Outcome:
    """Run the job. Storage clients take a second to import: --help does not wait for them."""
    from ufd_ray.storage import Choice, StorageOptions, export_current, export_runs

    options = StorageOptions.of(settings)
    choice = Choice(
        verdicts=settings.verdicts,
        min_score=settings.min_score,
        limit=settings.limit,
        with_duplicates=settings.with_duplicates,
        detector_id=settings.detector_id,
    )
    if settings.current:
        made = export_current(settings.output, choice, settings.to, options)
    else:
        made = export_runs(settings.output, settings.run_id, choice, settings.to, options)
    if made.num_duplicates:
        print(f"{made.num_duplicates:,} further names of the same bytes left out")
    if made.num_detectors > 1:
        print(
            f"rows of {made.num_detectors} detectors, the newest one's first: their scores are no"
            " common scale"
        )
    print(f"{made.num_images:,} images: {settings.to}")
    return Outcome.PUBLISHED


if __name__ == "__main__":
    run_job(ExportSettings, main)
