"""A manifest's file → tables, a batch at a time: Parquet, CSV, JSON lines or plain text.

CSV and JSON lines say nothing of types, so they are read twice: once for the types of the whole
file, so that a column is not a number in one batch and text in the next, and once for the rows.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

_ROWS = 10_000
_CSV_BLOCK = 8 * 2**20
_NO_NUMBER = r"^[+-]?(0[0-9]|[0-9]{19})|^0[xX]|^\+"
_INFERRED = {pa.int64(): _NO_NUMBER, pa.float64(): _NO_NUMBER, pa.bool_(): "^[01]$"}
"""Types that a CSV's column may come to have, and which of their spellings stay text."""

_ALWAYS_TEXT = ("uri", "member", "etag", "last_modified", "source", "split", "label")
"""Names and words, whatever they look like."""

Open = Callable[[], BinaryIO]
"""Opens the manifest at its beginning, each time in the same version."""


def read_parquet(file: Any) -> Iterator[Any]:
    """Read a Parquet manifest.

    Args:
        file: `pq.ParquetFile`.

    Yields:
        `pa.Table`s of one schema, at least one.

    Raises:
        pyarrow.ArrowException, OSError: it is damaged.
    """
    if not file.metadata.num_rows:
        yield file.schema_arrow.empty_table()
    for batch in file.iter_batches(_ROWS):
        yield pa.Table.from_batches([batch])


def read_csv(opened: Open) -> Iterator[Any]:
    """Read a CSV manifest with a header.

    Columns of whole numbers, of numbers and of true/false are that; all others stay the text that
    they are, among them numbers with leading zeros or more than 18 digits, and dates. Empty cells
    are nulls.

    Yields:
        `pa.Table`s of one schema, at least one.

    Raises:
        pyarrow.ArrowException, ValueError: it is no CSV file of UTF-8 text.
    """
    with opened() as file:
        names = _csv_reader(file, {}).schema.names  # an error where they are not UTF-8
    if len(set(names)) < len(names):
        raise ValueError(f"two columns of one name in {names}")
    text = dict.fromkeys(names, pa.string())
    possible = {name: list(_INFERRED) for name in names if name not in _ALWAYS_TEXT}
    seen: set[str] = set()
    with opened() as file:
        for batch in _csv_reader(file, text):
            for name in possible:
                if batch[name].null_count < len(batch):
                    seen.add(name)
                possible[name] = [kind for kind in possible[name] if _fits(batch[name], kind)]
    types = text | {name: kinds[0] for name, kinds in possible.items() if kinds and name in seen}
    schema = pa.schema(types)
    with opened() as file:
        some = False
        for batch in _csv_reader(file, text):
            some = True
            yield pa.Table.from_batches([batch]).cast(schema)
    if not some:
        yield schema.empty_table()


def _csv_reader(file: BinaryIO, types: dict[str, Any]) -> Any:
    return pyarrow.csv.open_csv(
        file,
        read_options=pyarrow.csv.ReadOptions(block_size=_CSV_BLOCK),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=types,
            strings_can_be_null=True,
            null_values=[""],  # by default `NA` and `null`, good names both, would be empty cells
        ),
    )


def _fits(column: Any, kind: Any) -> bool:
    if pc.any(pc.match_substring_regex(column, _INFERRED[kind])).as_py():
        return False
    try:
        pc.cast(column, kind)
    except pa.ArrowException:
        return False
    return True


def read_json_lines(opened: Open) -> Iterator[Any]:
    """Read a manifest of one JSON object a line; a key that a line lacks is null there.

    Yields:
        `pa.Table`s of one schema, at least one.

    Raises:
        pyarrow.ArrowException, ValueError, OverflowError, RecursionError: it is none, or a key's
            values have no common type.
    """
    schema = pa.schema([])
    for batch in _json_batches(opened):
        names = dict.fromkeys(name for row in batch for name in row)
        here = pa.table({name: _values(batch, name) for name in names}).schema
        schema = pa.unify_schemas([schema, here], promote_options="permissive")
    some = False
    for batch in _json_batches(opened):
        some = True
        columns = [_values(batch, field.name, field.type) for field in schema]
        yield pa.table(columns, schema=schema)
    if not some:
        yield pa.table({"uri": pa.array([], pa.string())})


def _values(rows: list[dict[str, Any]], name: str, kind: Any = None) -> Any:
    try:
        return pa.array([row.get(name) for row in rows], kind)
    except (pa.ArrowException, OverflowError) as error:
        raise ValueError(f"column {name!r}: {error}") from error


def _json_batches(opened: Open) -> Iterator[list[dict[str, Any]]]:
    with opened() as file:
        lines = _lines(file)
        while batch := list(islice(lines, _ROWS)):
            yield [_parsed(number, line) for number, line in batch]


def _parsed(number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise ValueError(f"line {number}: {error}") from error
    if not isinstance(row, dict):
        raise ValueError(f"line {number}: every line has to be a JSON object")
    return row


def read_text(opened: Open) -> Iterator[Any]:
    """Read a manifest of one URI a line; lines of blanks are skipped.

    Yields:
        `pa.Table`s with a column `uri`, at least one.

    Raises:
        UnicodeDecodeError: it is no UTF-8.
    """
    with opened() as file:
        lines = (line.rstrip("\r") for _, line in _lines(file))
        some = False
        while (batch := list(islice(lines, _ROWS))) or not some:
            some = True
            yield pa.table({"uri": pa.array(batch, pa.string())})


def _lines(file: Iterable[bytes]) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(file, 1):
        text = line.removeprefix(codecs.BOM_UTF8 if number == 1 else b"").decode("utf-8")
        if text.strip():
            yield number, text.removesuffix("\n")
