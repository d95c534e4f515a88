"""Many small Parquet files: one request each, for all its bytes, and many at a time.

Where storage is far, each request is a wait. Footer, columns and whether the file is there would be
several, and the bytes that are read too many are over sooner than those.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ufd_ray.storage.objects import read_object
from ufd_ray.storage.stores import StorageOptions

_NUM_READERS = 16


def read_small_schema(uri: str, options: StorageOptions) -> Any:
    """The `pa.Schema` of one. Errors as of `read_small_tables`."""
    return pq.read_schema(pa.BufferReader(read_object(uri, options)))


def read_small_tables(uris: Sequence[str], options: StorageOptions, **what: Any) -> Iterator[Any]:
    """Their rows, a `pa.Table` each, in order.

    Args:
        uris: where they are.
        options: how storage is reached.
        what: of the rows, as `pyarrow.parquet.read_table` takes it: `columns`, `filters`, `schema`.

    Raises:
        FileNotFoundError: one is gone.
        pa.ArrowException, OSError: one is no Parquet file.
        StorageError: one cannot be read.
    """

    def table(uri: str) -> Any:
        data = pa.BufferReader(read_object(uri, options))
        return pq.read_table(data, use_threads=False, **what)

    with ThreadPoolExecutor(_NUM_READERS) as pool:
        yield from pool.map(table, uris)
