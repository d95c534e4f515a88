"""Which published runs hold rows that no other run can stand in for."""

from __future__ import annotations

from collections.abc import Sequence

from ufd_ray.storage.runs.history import PERMANENT, PublishedRun, ScoreFiles
from ufd_ray.storage.scratch import open_scratch
from ufd_ray.storage.stores import StorageOptions

# Of each image its newest row stands: `current` and the ledger go by it. Where that is an error
# that may pass, the newest row before it that is final stands as well: perhaps the only score.
_STANDING = """
    WITH newest AS (
        SELECT
            max(f.run) AS latest,
            max(f.run) FILTER (
                r.status = 'scored' OR list_contains($permanent, r.error_code)
            ) AS final
        FROM published AS r
        JOIN run_of_file AS f ON f.file = r.__fragment_index
        GROUP BY r.image_id::UUID
    )
    SELECT run, count(*) AS num_images
    FROM (
        SELECT latest AS run FROM newest
        UNION ALL
        SELECT final AS run FROM newest WHERE final < latest
    )
    GROUP BY run
"""


def count_standing(
    root: str, runs: Sequence[PublishedRun], options: StorageOptions
) -> dict[str, int]:
    """Count, for each run, the images of which no newer run of these says what it says.

    Ids alone are held against one another (1 GB at most, the rest spills); rows stream.

    Args:
        root: where they lie.
        runs: oldest first.
        options: how storage is reached.

    Returns:
        By run id; 0 where newer runs have a row of every image, and one that is final of every
        image of which this run's row is final.

    Raises:
        SettingsError: a run does not say which files it has.
        StorageError: scores cannot be read.
    """
    counts = {run.run_id: 0 for run in runs}
    if not runs:
        return counts
    files = ScoreFiles(root, runs, options)
    with (
        files.clear_errors(),
        open_scratch() as scratch,
        scratch.named("published", files.scan(["image_id", "status", "error_code"])),
        scratch.named("run_of_file", files.table_of_runs()),
    ):
        found = scratch.database.sql(_STANDING, params={"permanent": PERMANENT})
        for number, num_images in found.fetchall():
            counts[runs[number].run_id] = num_images
    return counts
