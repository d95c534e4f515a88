"""`python jobs/current.py --help` says what it does."""

from ufd_ray.command_line import run_job
from ufd_ray.outcome import Outcome
from ufd_ray.settings import CurrentSettings


def main(settings: CurrentSettings) -> Outcome:
    """Run the job. Storage clients take a second to import: --help does not wait for them."""
    from ufd_ray.storage import StorageOptions, write_current

    options = StorageOptions.of(settings)
    made = write_current(settings.output, settings.rows_per_file, options)
    if made.columns.as_text:
        print(f"columns of several types, now text: {', '.join(made.columns.as_text)}")
    if made.columns.left_out:
        names = ", ".join(made.columns.left_out)
        print(f"manifest columns not carried through, since current/ has its own: {names}")
    print(f"{made.num_images:,} images, newest rows of {made.num_runs:,} published runs")
    print(f"written: {made.uri}/scores/")
    return Outcome.PUBLISHED


if __name__ == "__main__":
    run_job(CurrentSettings, main)
