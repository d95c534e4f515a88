"""A stratified sample of a run's images, each content once: strata by verdict and score.

Which images are drawn is decided by a hash of seed and image: any number of them is a simple random
sample, the same whatever the order in which rows are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ufd_ray.errors import SettingsError
from ufd_ray.storage.runs.history import ScoreFiles
from ufd_ray.storage.runs.marks import MARKED
from ufd_ray.storage.runs.scored import Scored
from ufd_ray.storage.scratch import Scratch, open_scratch
from ufd_ray.storage.stores import StorageOptions

_READ = ["image_id", "status", "content_hash", "duplicate_of", "verdict"]

# Hashes as UUIDs: 16 bytes each instead of 64.
_ROWS = """
    CREATE TABLE scored AS
    SELECT
        image_id::UUID AS image,
        md5(coalesce(content_hash, image_id))::UUID AS content,
        duplicate_of IS NOT NULL AS again,
        verdict,
        {score}::FLOAT AS score,
        status
    FROM published
"""
_COUNTS = """
    SELECT count(*), count(*) FILTER (status = 'scored'),
        count(DISTINCT content) FILTER (status = 'scored') FROM scored
"""
_VERDICTS = "SELECT count(DISTINCT verdict) FROM scored WHERE status = 'scored'"
_LACKING = (
    "SELECT count(*) FROM scored WHERE status = 'scored' AND (verdict IS NULL OR score IS NULL)"
)
# Equal scores have one rank, so that they are never in two strata.
_PARTS = """
    CREATE TABLE parted AS
    SELECT image, verdict, score, {cuts} AS part
    FROM (
        SELECT *, (rank() OVER near - 1) / count(*) OVER (PARTITION BY verdict) AS place
        FROM (
            SELECT *, row_number() OVER (PARTITION BY content ORDER BY again, image) AS first
            FROM scored
            WHERE status = 'scored'
        )
        WHERE first = 1
        WINDOW near AS (
            PARTITION BY verdict ORDER BY CASE verdict WHEN 'fake' THEN score ELSE -score END
        )
    )
"""
_STRATA = """
    CREATE TABLE strata AS
    SELECT row_number() OVER (ORDER BY low, verdict)::INT AS stratum, *
    FROM (
        SELECT verdict, part, count(*) AS size, min(score) AS low, max(score) AS high
        FROM parted GROUP BY verdict, part
    )
"""
_DRAW = """
    CREATE OR REPLACE TABLE drawn AS
    SELECT image, verdict, score, stratum
    FROM (
        SELECT p.image, p.verdict, p.score, s.stratum,
            row_number() OVER (
                PARTITION BY s.stratum ORDER BY md5('draw' || $seed || p.image)
            ) AS place
        FROM parted AS p JOIN strata AS s ON s.verdict = p.verdict AND s.part = p.part
    ) AS numbered
    JOIN wanted AS w USING (stratum)
    WHERE place <= w.labels
"""
_DRAWN = ("image_id", "uri", "member", "score", "verdict", "stratum")
# Rows are shuffled: a file that is labelled from above down to any line is a sample as well.
_NAMES = """
    SELECT r.image_id, {uri} AS uri, coalesce({member}, '') AS member,
        d.score::VARCHAR::DOUBLE AS score, d.verdict, d.stratum
    FROM published AS r JOIN drawn AS d ON d.image = r.image_id::UUID
    ORDER BY md5('shuffle' || $seed || d.image)
"""


@dataclass(frozen=True)
class Stratum:
    """Images of one verdict whose scores lie in one range.

    Attributes:
        stratum: its number, from 1 on, by rising score.
        verdict: `real`, `unsure` or `fake`.
        low: least score.
        high: greatest score.
        size: how many images it has.
    """

    stratum: int
    verdict: str
    low: float
    high: float
    size: int


class Frame:
    """All images of which a sample is drawn.

    Attributes:
        counts: `rows`, `scored` ones, and how many `distinct` contents these have.
        num_verdicts: how many verdicts there are.
    """

    def __init__(self, scratch: Scratch, scored: Scored, files: ScoreFiles) -> None:
        self._scratch, self._files = scratch, files
        columns = [*_READ, scored.column]
        with files.clear_errors(), scratch.named("published", files.scan(columns)):
            scratch.database.execute(_ROWS.format(score=scored.column))
        numbers = scratch.database.execute(_COUNTS).fetchall()[0]
        self.counts = dict(zip(("rows", "scored", "distinct"), map(int, numbers), strict=True))
        lacking = self._number(_LACKING)
        if not self.counts["scored"] or lacking:
            why = f"{lacking:,} scored images without a verdict" if lacking else "no scored image"
            raise SettingsError(f"--run {scored.rows.uri}: {why}; nothing to label")
        self.num_verdicts = self._number(_VERDICTS)

    def stratify(self, cuts: Sequence[float]) -> list[Stratum]:
        """Cut each verdict's images by rank from the threshold, the nearest first.

        Args:
            cuts: shares of a verdict's images, rising, each between 0 and 1.

        Returns:
            The strata that have images, by number.
        """
        database = self._scratch.database
        parts = " + ".join(["0", *(f"(place >= {cut!r})::INT" for cut in cuts)])
        database.execute(_PARTS.format(cuts=parts))
        database.execute(_STRATA)
        rows = database.execute(
            "SELECT stratum, verdict, low, high, size FROM strata ORDER BY stratum"
        ).fetchall()
        return [Stratum(*row) for row in rows]

    def draw(self, labels: Sequence[int], seed: int) -> list[dict[str, Any]]:
        """Draw so many images of each stratum, after `stratify`.

        Args:
            labels: of each stratum, in order.
            seed: of the draw, and of the order in which they stand.

        Returns:
            `image_id`, `uri`, `member` (texts that no spreadsheet takes for a formula), `score`,
            `verdict`, `stratum` of each.

        Raises:
            StorageError: rows cannot be read.
        """
        numbers = pa.array(range(1, len(labels) + 1), pa.int32())
        wanted = pa.table({"stratum": numbers, "labels": pa.array(labels, pa.int64())})
        database, seeded = self._scratch.database, {"seed": f" {seed} "}
        with self._scratch.named("wanted", wanted):
            database.execute(_DRAW, seeded)
        names = {name: MARKED.format(f"r.{name}") for name in ("uri", "member")}
        reader = self._files.scan(["image_id", "uri", "member"])
        with self._files.clear_errors(), self._scratch.named("published", reader):
            rows = database.execute(_NAMES.format(**names), seeded).fetchall()
        return [dict(zip(_DRAWN, row, strict=True)) for row in rows]

    def _number(self, query: str) -> int:
        return int(self._scratch.database.execute(query).fetchall()[0][0])


@contextmanager
def open_frame(scored: Scored, options: StorageOptions) -> Iterator[Frame]:
    """Read ids, contents, scores and verdicts of all rows; 1 GB of memory at most, the rest spills.

    Raises:
        SettingsError: no image was scored.
        StorageError: rows cannot be read, or there is no room for them.
    """
    with open_scratch() as scratch:
        yield Frame(scratch, scored, scored.files(options))
