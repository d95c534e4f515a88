"""`audit.parquet` beside a bank's shards: what its rows say of one another, the worst first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq

from ufd_ray.schema import AUDIT
from ufd_ray.storage.banks import BankInfo
from ufd_ray.storage.folders import list_folder
from ufd_ray.storage.objects import write_from
from ufd_ray.storage.scratch import open_scratch
from ufd_ray.storage.stores import StorageOptions, open_filesystem
from ufd_ray.storage.uris import join_uri, parse_uri

AUDIT_FILE = "audit.parquet"

_WORST_FIRST = """
    SELECT {columns} FROM parts
    ORDER BY
        CASE reason WHEN 'duplicate_of_other_class' THEN 0 WHEN 'suspect_label' THEN 1
            WHEN 'duplicate' THEN 2 ELSE 3 END,
        CASE label WHEN 1 THEN -nn_margin ELSE nn_margin END DESC NULLS LAST,
        image_id
"""
"""Within a reason, by how much nearer the other class is than the row's own."""


def open_parts(folder: str, options: StorageOptions) -> Any:
    """What a flow appended to a folder, as a `pyarrow.dataset.Dataset`; nothing is read yet."""
    uris = [uri for uri in list_folder(folder, options) if uri.endswith(".parquet")]
    return pa.dataset.dataset(
        [parse_uri(uri).path for uri in uris],
        format="parquet",
        filesystem=open_filesystem(parse_uri(folder), options),
    )


def write_audit(bank: BankInfo, parts: Any, options: StorageOptions) -> Iterator[Any]:
    """Put the rows in order, and write them as `BANK/audit.parquet`.

    The file's metadata say which shards it is about (`ufd_ray.bank_content`).

    Args:
        bank: whose rows they are.
        parts: `pyarrow.dataset.Dataset` with the columns of `AUDIT`.
        options: how storage is reached.

    Yields:
        The rows as they are written: record batches. The file is there when all have been taken.

    Raises:
        StorageError: it cannot be written, or there is no room to put the rows in order.
    """
    schema = pa.schema(AUDIT, {"ufd_ray.bank_content": bank.content})
    scanner = parts.scanner(columns=schema.names)
    rows = pa.RecordBatchReader.from_batches(scanner.projected_schema, scanner.to_batches())
    with open_scratch() as scratch, scratch.named("parts", rows):
        query = _WORST_FIRST.format(columns=", ".join(schema.names))
        ordered = scratch.database.sql(query).to_arrow_reader()
        file = scratch.folder / AUDIT_FILE
        with pq.ParquetWriter(file, schema, compression="zstd") as writer:
            for batch in ordered:
                written = batch.cast(schema)
                writer.write_batch(written)
                yield written
        write_from(join_uri(bank.uri, AUDIT_FILE), file, options)
