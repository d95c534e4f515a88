"""Inputs read whole, and manifests of every kind to read."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ufd_ray.errors import SettingsError
from ufd_ray.storage import Inputs, StorageOptions

OPTIONS = StorageOptions()
LISTED = ["uri", "member", "etag", "size_bytes", "last_modified", "offset"]
TIMESTAMP = pa.timestamp("us", tz="UTC")


def read(*uris: str | Path, **how: Any) -> Any:
    """All tables of the inputs as one."""
    return pa.concat_tables(Inputs([str(uri) for uri in uris], **how).tables(OPTIONS))


def refused(manifest: Path) -> str:
    with pytest.raises(SettingsError) as caught:
        read(manifest)
    message = str(caught.value)
    assert message.startswith(f"--input {manifest}: ")
    assert "\n" not in message
    return message


def parquet(table: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    lines = [",".join(rows[0]), *(",".join(str(v) for v in row.values()) for row in rows)]
    return "\n".join(lines).encode()


def as_json_lines(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


WRITERS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    "parquet": lambda rows: parquet(pa.Table.from_pylist(rows)),
    "csv": as_csv,
    "jsonl": as_json_lines,
}


def names_below(folder: Path, table: Any) -> list[str]:
    return [uri.removeprefix(f"{folder}/") for uri in table["uri"].to_pylist()]
