"""Rows of published files, taken in one by one and counted: ids, statuses, verdicts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from ufd_ray.storage.scratch import Scratch, open_scratch

_AS_THEY_ARE = ("image_id", "status", "error_code", "verdict")
TAKEN = (*_AS_THEY_ARE, "duplicate_of", "run_id")
"""Columns that are looked at; only the rows of `current` have a `run_id`."""

_TALLY = "SELECT {column}, count(*) FROM taken WHERE {column} IS NOT NULL GROUP BY ALL ORDER BY ALL"
_FAULTS = """
    WITH accounts AS (
        SELECT image_id, sum(listed) AS listed, sum(found) AS found
        FROM (
            SELECT image_id, 1 AS listed, 0 AS found FROM listed
            UNION ALL
            SELECT coalesce(image_id, 'no id'), 0, 1 FROM taken
        )
        GROUP BY image_id
    ),
    faults AS (
        SELECT 'lost' AS word, image_id FROM accounts WHERE listed > 0 AND found = 0
        UNION ALL
        SELECT 'double', image_id FROM accounts WHERE found > 1
        UNION ALL
        SELECT 'foreign', image_id FROM accounts WHERE listed = 0
        UNION ALL
        SELECT 'listed twice', image_id FROM accounts WHERE listed > 1
    )
    SELECT word, count(*), min(image_id, 3) FROM faults GROUP BY word ORDER BY word
"""


class RowAccounts:
    """What a folder's rows come to. Ids take 1 GB of memory at most, the rest spills.

    Args:
        scratch: where they are kept.
    """

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch
        scratch.database.execute(
            "CREATE TABLE listed (image_id VARCHAR);"
            "CREATE TABLE taken (image_id VARCHAR, status VARCHAR, error_code VARCHAR,"
            " verdict VARCHAR, duplicate BOOLEAN, run_id VARCHAR)"
        )

    def expect(self, batch: Any) -> None:
        """Expect a row of each of these images: `pa.RecordBatch` with `image_id`."""
        self._insert("listed", batch.select(["image_id"]))

    def take(self, batch: Any) -> None:
        """Take in rows: `pa.RecordBatch` of scores, perhaps with a `run_id`."""
        rows = pa.table({name: batch[name] for name in _AS_THEY_ARE})
        rows = rows.append_column("duplicate", batch["duplicate_of"].is_valid())
        run_id = batch["run_id"] if "run_id" in batch.schema.names else pa.nulls(len(batch))
        self._insert("taken", rows.append_column("run_id", run_id.cast(pa.string())))

    def count(self) -> dict[str, Any]:
        """The counts, as `run.json` has them."""
        (images, duplicates) = self._sql(
            "SELECT count(*), count(*) FILTER (duplicate) FROM taken"
        ).fetchall()[0]
        return {
            "images": images,
            "by_status": self._tally("status"),
            "by_error_code": self._tally("error_code"),
            "by_verdict": self._tally("verdict"),
            "duplicates": duplicates,
        }

    def count_by_run(self) -> dict[str, int]:
        """Rows by `run_id`."""
        return self._tally("run_id")

    def doubles(self) -> Iterator[str]:
        """Images that have several rows, where no list says which ones there have to be."""
        self._sql("INSERT INTO listed SELECT DISTINCT image_id FROM taken")
        return self.faults()

    def faults(self) -> Iterator[str]:
        """Where rows and listed images differ: a line a kind, with the first ids."""
        for word, number, ids in self._sql(_FAULTS).fetchall():
            more = ", …" if number > len(ids) else ""
            yield f"{number:,} images {word} ({', '.join(map(str, ids))}{more})"

    def _tally(self, column: str) -> dict[str, int]:
        return dict(self._sql(_TALLY.format(column=column)).fetchall())

    def _insert(self, table: str, rows: Any) -> None:
        with self._scratch.named("chunk", rows):
            self._scratch.database.execute(f"INSERT INTO {table} FROM chunk")

    def _sql(self, query: str) -> Any:
        return self._scratch.database.execute(query)


@contextmanager
def open_accounts() -> Iterator[RowAccounts]:
    """Accounts with a scratch folder of their own.

    Raises:
        StorageError: there is no room for it.
    """
    with open_scratch() as scratch:
        yield RowAccounts(scratch)
