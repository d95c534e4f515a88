"""Tables of any length → tables of one length: what goes into one file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa


def cut(tables: Iterable[Any], rows_per_file: int, schema: Any) -> Iterator[Any]:
    """Cut a stream of tables anew, in order.

    Args:
        tables: `pa.Table`s of this schema.
        rows_per_file: rows of all that come out but the last.
        schema: theirs.

    Yields:
        `pa.Table`s; one, without rows, when there are none at all.
    """
    waiting: list[Any] = [schema.empty_table()]
    num_waiting, some = 0, False
    for table in tables:
        while num_waiting + len(table) >= rows_per_file:
            taken = rows_per_file - num_waiting
            yield pa.concat_tables([*waiting, table.slice(0, taken)])
            waiting, num_waiting, some = [schema.empty_table()], 0, True
            table = table.slice(taken)
        waiting.append(table)
        num_waiting += len(table)
    if num_waiting or not some:
        yield pa.concat_tables(waiting)
