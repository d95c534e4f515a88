"""Parts → published scores: accounts checked, `duplicate_of` filled, counted as they pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ufd_ray.report import Histogram
from ufd_ray.schema import DECIDING, POSITION, SCORES
from ufd_ray.storage import (
    ROWS_PER_GROUP,
    Parts,
    PublishedFile,
    RunFolder,
    check_files,
    write_table,
)


@dataclass
class Census:
    """Counts over the rows that passed.

    Attributes:
        status: rows by `status`.
        error_code: failed rows by `error_code`.
        verdict: scored rows by `verdict`.
        num_duplicates: rows with the same bytes as an earlier one.
        histogram: scored rows by the deciding score.
    """

    status: Counter[str] = field(default_factory=Counter)
    error_code: Counter[str] = field(default_factory=Counter)
    verdict: Counter[str] = field(default_factory=Counter)
    num_duplicates: int = 0
    histogram: Histogram = field(default_factory=Histogram)

    def add(self, rows: Any, decider: str) -> None:
        """Count a table of scores."""
        for name in ("status", "error_code", "verdict"):
            found = rows[name].drop_null().value_counts().to_pylist()
            getattr(self, name).update({entry["values"]: entry["counts"] for entry in found})
        self.num_duplicates += len(rows) - rows["duplicate_of"].null_count
        scores = rows[DECIDING[decider]].drop_null()
        self.histogram.add(scores.to_numpy())

    @property
    def num_images(self) -> int:
        """All rows."""
        return self.status.total()

    @property
    def error_rate(self) -> float:
        """Share of the rows that failed, 0–1."""
        return self.status["error"] / max(self.num_images, 1)

    def to_dict(self) -> dict[str, Any]:
        """As `run.json` has it."""
        return {
            "images": self.num_images,
            "by_status": dict(self.status),
            "by_error_code": dict(self.error_code),
            "by_verdict": dict(self.verdict),
            "duplicates": self.num_duplicates,
        }


def publish_scores(
    run: RunFolder,
    num_images: int,
    rows_per_file: int,
    decider: str,
    metadata: dict[str, str],
    see: Callable[[Any], None] | None = None,
) -> tuple[list[PublishedFile], Census]:
    """Write `scores/`, and `embeddings/` where the parts have some, and read them back.

    Args:
        run: the run.
        num_images: rows of its manifest.
        rows_per_file: rows in one published file.
        decider: the detector whose score the histogram shows.
        metadata: run constants for the files' own metadata.
        see: is given each file's rows, with their `position`, as they pass; None: nobody looks.

    Raises:
        AccountsError: rows were lost or doubled, or a file is not what was written.
        StorageError: a file cannot be written.
    """
    parts = Parts(run.parts, run.manifest, run.options)
    parts.check_accounts(num_images)
    schema = pa.schema([*SCORES, *parts.further])
    census = Census(histogram=Histogram.of(decider))
    files: list[PublishedFile] = []
    # At least one file, for no rows as well.
    tables: Iterable[Any] = [schema.append(POSITION).empty_table()]
    firsts = pa.table({name: pa.array([], pa.string()) for name in ("content_hash", "first_id")})
    if num_images:
        tables = parts.ranges(num_images, rows_per_file)
        firsts = parts.first_with_same_content()
    run.clear_published()
    for number, rows in enumerate(tables):
        scores = _fill_duplicate_of(rows, firsts).select(schema.names).cast(schema)
        census.add(scores, decider)
        if see is not None:
            see(scores.append_column(POSITION, rows[POSITION.name]))
        name = f"part-{number:05d}.parquet"
        files.append(write_table(run.uri, f"scores/{name}", scores, run.options, metadata))
        if "embedding" in rows.column_names:
            kept = rows.select(["image_id", "content_hash", "embedding"])
            kept = kept.filter(pc.is_valid(kept["embedding"]))
            files.append(
                write_table(
                    run.uri, f"embeddings/{name}", kept, run.options, metadata, ROWS_PER_GROUP
                )
            )
    check_files(run.uri, files, num_images, run.options)
    return files, census


def _fill_duplicate_of(rows: Any, firsts: Any) -> Any:
    where = pc.index_in(rows["content_hash"], firsts["content_hash"])
    first_id = firsts["first_id"].take(where)
    own = pc.equal(first_id, rows["image_id"])
    filled = pc.if_else(pc.fill_null(own, True), pa.scalar(None, pa.string()), first_id)
    return rows.set_column(rows.column_names.index("duplicate_of"), "duplicate_of", filled)
