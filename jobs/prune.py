"""`python jobs/prune.py --help` says what it does."""

from datetime import UTC, datetime

from ufd_ray.command_line import run_job
from ufd_ray.outcome import Outcome
from ufd_ray.settings import PruneSettings


def main(settings: PruneSettings) -> Outcome:
    """Run the job. Storage clients take a second to import: --help does not wait for them."""
    from ufd_ray.storage import PruningPolicy, StorageOptions, plan_pruning, prune

    options = StorageOptions.of(settings)
    policy = PruningPolicy(
        runs=settings.runs_older_than_days,
        embeddings=settings.embeddings_older_than_days,
        unfinished=settings.unfinished_older_than_days,
        forget=frozenset(settings.forget),
    )
    now = datetime.now(UTC)
    if settings.dry_run:
        print(*plan_pruning(settings.output, policy, options, now).lines(), sep="\n")
        print("dry run: nothing was deleted")
    else:
        prune(settings.output, policy, options, now)
    return Outcome.PUBLISHED


if __name__ == "__main__":
    run_job(PruneSettings, main)
