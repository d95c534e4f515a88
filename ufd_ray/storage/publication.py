"""`parts/` → published Parquet files: all rows accounted for, in order, checksummed."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset
import pyarrow.parquet as pq

from ufd_ray.errors import AccountsError
from ufd_ray.storage.objects import list_folder, write_object
from ufd_ray.storage.stores import StorageOptions, open_filesystem
from ufd_ray.storage.uris import join_uri, parse_uri


@dataclass(frozen=True)
class PublishedFile:
    """One published file, as `run.json` and `bank.json` name it.

    Attributes:
        name: path below the folder that holds the JSON.
        num_rows: rows in it.
        sha256: hex digest of its bytes.
        num_bytes: its size.
    """

    name: str
    num_rows: int
    sha256: str
    num_bytes: int

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


class Parts:
    """The rows that the pipeline appended, in whatever order, as one data set.

    Args:
        folder: URI of `parts/`.
        options: how storage is reached.
    """

    def __init__(self, folder: str, options: StorageOptions) -> None:
        self._uris = [u for u in list_folder(folder, options) if u.endswith(".parquet")]
        location = parse_uri(folder)
        self._dataset = pa.dataset.dataset(
            [parse_uri(uri).path for uri in self._uris],
            format="parquet",
            filesystem=open_filesystem(location, options),
        )

    @property
    def uris(self) -> list[str]:
        """The files."""
        return self._uris

    def check_accounts(self, num_images: int) -> None:
        """Hold the rows against the manifest: positions 0 … `num_images` - 1, each exactly once.

        Raises:
            AccountsError: it names up to five positions that are lost, double or foreign.
        """
        positions = self._column("position")
        known = (positions >= 0) & (positions < num_images)
        counts = np.bincount(positions[known], minlength=num_images)
        faults = {
            "lost": np.flatnonzero(counts == 0),
            "double": np.flatnonzero(counts > 1),
            "foreign": np.unique(positions[~known]),
        }
        said = [_count_and_name(word, rows) for word, rows in faults.items() if len(rows)]
        if said:
            raise AccountsError(
                f"{num_images} images went in, {len(positions)} rows came out: {'; '.join(said)}."
                " Nothing was published."
            )

    def first_with_same_content(self) -> Any:
        """For each content hash that occurs more than once: the id of its first row.

        Returns:
            `pa.Table` with `content_hash`, `position` (of the first row), `first_id`.
        """
        rows = self._dataset.to_table(columns=["content_hash", "position", "image_id"])
        rows = rows.filter(pc.is_valid(rows["content_hash"]))
        groups = rows.group_by("content_hash").aggregate(
            [("position", "min"), ("position", "count")]
        )
        groups = groups.filter(pc.greater(groups["position_count"], 1))
        firsts = groups.select(["content_hash", "position_min"]).rename_columns(
            ["content_hash", "position"]
        )
        named = firsts.join(rows.select(["position", "image_id"]), keys="position")
        return named.rename_columns({"image_id": "first_id"})

    def ranges(self, num_images: int, rows_per_file: int) -> Iterator[Any]:
        """The rows in the manifest's order, a published file's worth at a time.

        Yields:
            `pa.Table`s sorted by position; one, without rows, when there are none at all.
        """
        for start in range(0, max(num_images, 1), rows_per_file):
            place = pc.field("position")
            wanted = (place >= start) & (place < start + rows_per_file)
            yield self._dataset.to_table(filter=wanted).sort_by("position")

    def _column(self, name: str) -> np.ndarray[Any, np.dtype[np.int64]]:
        if not self._uris:  # a data set of no files knows no columns
            return np.empty(0, np.int64)
        column = self._dataset.to_table(columns=[name])[name]
        return np.asarray(column.to_numpy(), dtype=np.int64)


def _count_and_name(word: str, positions: np.ndarray[Any, np.dtype[np.int64]]) -> str:
    named = ", ".join(map(str, positions[:5])) + (", …" if len(positions) > 5 else "")
    return f"{len(positions)} {word} (positions {named})"


def write_table(
    root: str,
    name: str,
    table: Any,
    options: StorageOptions,
    metadata: dict[str, str] | None = None,
) -> PublishedFile:
    """Write a table as one Parquet file.

    Args:
        root: URI of the run or bank.
        name: path below it.
        table: `pa.Table`.
        options: how storage is reached.
        metadata: run constants for the file's own metadata.

    Raises:
        StorageError: it cannot be written.
    """
    sink = io.BytesIO()
    encoded = {k: v.encode("utf-8", "backslashreplace") for k, v in (metadata or {}).items()}
    pq.write_table(table.replace_schema_metadata(encoded), sink, compression="zstd")
    data = sink.getvalue()
    write_object(join_uri(root, *name.split("/")), data, options)
    return PublishedFile(name, len(table), hashlib.sha256(data).hexdigest(), len(data))
