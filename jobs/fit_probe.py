"""`python jobs/fit_probe.py --help` says what it does."""

from ufd_ray.command_line import run_job
from ufd_ray.outcome import Outcome
from ufd_ray.settings import FitProbeSettings


def main(settings: FitProbeSettings) -> Outcome:
    """Run the job. Torch and Ray take seconds to import: --help and typing errors do not wait."""
    from ufd_ray.pipeline.fit_probe import fit_probe

    return fit_probe(settings)


if __name__ == "__main__":
    run_job(FitProbeSettings, main)
