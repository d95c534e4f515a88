"""`python jobs/verify.py --help` says what it does."""

from itertools import chain

from ufd_ray.command_line import run_job
from ufd_ray.outcome import Outcome
from ufd_ray.settings import VerifySettings


def main(settings: VerifySettings) -> Outcome:
    """Run the job. Storage clients take a second to import: --help does not wait for them."""
    from ufd_ray.storage import StorageOptions, verify_current, verify_runs

    options = StorageOptions.of(settings)
    num_unsound = 0
    runs = verify_runs(settings.output, settings.run_id, options)
    rest = (verify_current(settings.output, options) for _ in range(settings.current))
    for found in chain(runs, rest):
        print(*found.lines(), sep="\n")
        num_unsound += bool(found.faults)
    if num_unsound:
        print(f"{num_unsound:,} not sound: exit status 1")
    return Outcome.FAILED if num_unsound else Outcome.PUBLISHED


if __name__ == "__main__":
    run_job(VerifySettings, main)
