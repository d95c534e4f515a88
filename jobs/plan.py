"""`python jobs/plan.py --help` says what it does."""

from ufd_ray.command_line import run_job
from ufd_ray.outcome import Outcome
from ufd_ray.settings import PlanSettings


def main(settings: PlanSettings) -> Outcome:
    """Run the job. Torch takes seconds to import: --help and typing errors do not wait."""
    from ufd_ray.pipeline.plan import plan

    return plan(settings)


if __name__ == "__main__":
    run_job(PlanSettings, main)
