"""`python jobs/demo.py --help` says what it does."""

from ufd_ray.command_line import run_job
from ufd_ray.outcome import Outcome
from ufd_ray.settings import DemoSettings


def main(settings: DemoSettings) -> Outcome:
    """Run the job. Torch and Ray take seconds to import: --help and typing errors do not wait."""
    from ufd_ray.demo import run_demo

    return run_demo(settings)


if __name__ == "__main__":
    run_job(DemoSettings, main)
