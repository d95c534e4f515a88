"""`python jobs/report.py --help` says what it does."""

from ufd_ray.command_line import run_job
from ufd_ray.outcome import Outcome
from ufd_ray.settings import ReportSettings


def main(settings: ReportSettings) -> Outcome:
    """Run the job. Torch takes seconds to import: --help and typing errors do not wait for it."""
    from ufd_ray.pipeline.report import report

    return report(settings)


if __name__ == "__main__":
    run_job(ReportSettings, main)
