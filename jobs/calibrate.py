"""`python jobs/calibrate.py --help` says what it does."""

from ufd_ray.command_line import run_job
from ufd_ray.outcome import Outcome
from ufd_ray.settings import CalibrateSettings


def main(settings: CalibrateSettings) -> Outcome:
    """Run the job. Torch takes seconds to import: --help and typing errors do not wait for it."""
    from ufd_ray.pipeline.calibrate import calibrate

    return calibrate(settings)


if __name__ == "__main__":
    run_job(CalibrateSettings, main)
