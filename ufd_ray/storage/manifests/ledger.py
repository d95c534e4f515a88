"""What published runs already know: a view over their rows, with no state of its own."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ufd_ray.storage.runs.history import PERMANENT, PublishedRun, ScoreFiles, published_runs
from ufd_ray.storage.scratch import Scratch
from ufd_ray.storage.stores import StorageOptions

_COLUMNS = ("image_id", "etag", "size_bytes", "last_modified", "status", "error_code")

# Of all rows about an image, the one of the newest run decides: `rank` is its run's number, doubled
# and one more where the row still holds, so that the greatest rank tells both. The right side of
# the join is held in memory; published rows, however many, stream past it.
_RANKS = """
    SELECT ordinal, 2 * run + (final AND same)::INT AS rank
    FROM (
        SELECT
            c.ordinal,
            f.run,
            coalesce(r.status = 'scored' OR list_contains($permanent, r.error_code), false)
                AS final,
            CASE
                WHEN c.etag IS NOT NULL AND nullif(r.etag, '') IS NOT NULL THEN c.etag = r.etag
                ELSE coalesce(
                    c.size_bytes = r.size_bytes AND c.modified = epoch_us(r.last_modified), false
                )
            END AS same
        FROM published AS r
        JOIN candidates AS c ON c.key = r.image_id::UUID
        JOIN run_of_file AS f ON f.file = r.__fragment_index
    )
"""


class Ledger:
    """The newest published row of every image: is there anything new to be said of it?

    Nothing is, where that row is about the version that is listed now (same etag where both are
    known, else same size and time of modification) and is final: a score, or an error that would
    come again. Rows of runs that are not published do not count.

    Args:
        root: what `--output` names.
        options: how storage is reached.
        detector_id: the detector that is about to score.

    Raises:
        SettingsError: the `run.json` of a published run cannot be read.
        StorageError: the storage does not say what is there.
    """

    def __init__(self, root: str, options: StorageOptions, detector_id: str) -> None:
        self._root = root
        self._options = options
        self._detector_id = detector_id
        self._runs = published_runs(root, options)

    @property
    def runs(self) -> list[PublishedRun]:
        """The published runs, oldest first."""
        return self._runs

    def is_older(self, run: PublishedRun) -> bool:
        """Whether another detector scored it, or one of which nothing is known."""
        return run.detector_id != self._detector_id

    def holding_runs(self, scratch: Scratch, num_candidates: int) -> npt.NDArray[np.int32]:
        """Which run's row still holds, for each candidate.

        Args:
            scratch: where the table `candidates` is (see `Candidates`).
            num_candidates: its rows.

        Returns:
            (n,): the number in `runs` of the one with the candidate's newest row; -1 where that row
            does not hold any more, or there is none: it has to be scored.

        Raises:
            StorageError: published scores cannot be read.
        """
        files = ScoreFiles(self._root, self._runs, self._options)
        newest = np.zeros(num_candidates, np.int32)
        with (
            files.clear_errors(),
            scratch.named("published", files.scan(_COLUMNS)),
            scratch.named("run_of_file", files.table_of_runs()),
        ):
            found = scratch.database.sql(_RANKS, params={"permanent": PERMANENT})
            for batch in found.to_arrow_reader(100_000):
                ordinals, ranks = (np.asarray(batch[name]) for name in ("ordinal", "rank"))
                np.maximum.at(newest, ordinals, ranks)
        return np.where(newest % 2 == 1, newest // 2, -1).astype(np.int32)
