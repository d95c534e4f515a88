"""`python jobs/evaluate.py --help` says what it does."""

from ufd_ray.command_line import run_job
from ufd_ray.outcome import Outcome
from ufd_ray.settings import EvaluateSettings


def main(settings: EvaluateSettings) -> Outcome:
    """Run the job. Torch and Ray take seconds to import: --help and typing errors do not wait."""
    if settings.labels is not None:
        from ufd_ray.pipeline.review import review

        return review(settings, settings.labels)
    from ufd_ray.pipeline.evaluate import evaluate

    return evaluate(settings)


if __name__ == "__main__":
    run_job(EvaluateSettings, main)
