"""The page's table for Athena has the columns that are written, in their types."""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa

from tests.docs.pages import block
from ufd_ray.schema import SCORES

HIVE = {
    pa.string(): "string",
    pa.int8(): "tinyint",
    pa.int32(): "int",
    pa.int64(): "bigint",
    pa.float32(): "float",
    pa.bool_(): "boolean",
}


def hive(kind: Any) -> str:
    if pa.types.is_timestamp(kind):
        return "timestamp"
    if pa.types.is_list(kind):
        return f"array<{hive(kind.value_type)}>"
    if pa.types.is_struct(kind):
        return f"struct<{', '.join(f'{field.name}: {hive(field.type)}' for field in kind)}>"
    return HIVE[kind]


def test_its_columns_are_those_of_the_scores() -> None:
    ddl = block("docs/scores.md#athena").text
    columns = re.search(r"CREATE EXTERNAL TABLE scores \(\n(.*?)\n\)", ddl, re.DOTALL)
    assert columns
    found = [line.strip().rstrip(",") for line in columns[1].splitlines()]
    assert found == [f"{field.name} {hive(field.type)}" for field in SCORES]


def test_its_query_names_columns_that_there_are() -> None:
    query = block("docs/scores.md#athena/2").text
    names = {field.name for field in SCORES} | {"run_id", "nearest", "scores", "element_at"}
    words = set(re.findall(r"\b[a-z_]{3,}\b", re.sub(r"'[^']*'", "", query)))
    assert words <= names
