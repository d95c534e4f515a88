"""`python jobs/train_baseline.py --help` says what it does."""

from ufd_ray.command_line import run_job
from ufd_ray.outcome import Outcome
from ufd_ray.settings import TrainBaselineSettings


def main(settings: TrainBaselineSettings) -> Outcome:
    """Run the job. Torch and Ray take seconds to import: --help and typing errors do not wait."""
    from ufd_ray.pipeline.train_baseline import train_baseline

    return train_baseline(settings)


if __name__ == "__main__":
    run_job(TrainBaselineSettings, main)
