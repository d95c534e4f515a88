"""`python jobs/build_bank.py --help` says what it does."""

from ufd_ray.command_line import run_job
from ufd_ray.outcome import Outcome
from ufd_ray.settings import BuildBankSettings


def main(settings: BuildBankSettings) -> Outcome:
    """Run the job. Torch and Ray take seconds to import: --help and typing errors do not wait."""
    from ufd_ray.pipeline.build_bank import build_bank

    return build_bank(settings)


if __name__ == "__main__":
    run_job(BuildBankSettings, main)
