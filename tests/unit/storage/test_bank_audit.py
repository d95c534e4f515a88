from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ufd_ray.schema import AUDIT
from ufd_ray.storage import BankInfo, StorageOptions, open_parts, write_audit

HERE = StorageOptions()
REASONS = [None, "duplicate", "suspect_label", "duplicate_of_other_class"]


def rows(first: int, num: int) -> Any:
    numbers = range(first, first + num)
    content: dict[str, Any] = {field.name: [None] * num for field in AUDIT}
    content |= {name: [f"{name}{n:02}" for n in numbers] for name in ("image_id", "uri")}
    content |= {"label": [n % 2 for n in numbers], "reason": [REASONS[n % 4] for n in numbers]}
    content |= {"nn_margin": [None if n == 3 else float(n) for n in numbers]}
    return pa.table(content, schema=pa.schema(AUDIT))


def test_the_worst_come_first(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    pq.write_table(rows(0, 5), tmp_path / "parts" / "b.parquet")
    pq.write_table(rows(5, 7), tmp_path / "parts" / "a.parquet")
    bank = BankInfo(str(tmp_path), {}, 4, "float32", {}, [{"sha256": "5" * 64}], 12)
    parts = open_parts(str(tmp_path / "parts"), HERE)
    given = pa.Table.from_batches(write_audit(bank, parts, HERE))
    written = pq.read_table(tmp_path / "audit.parquet")
    assert written.equals(given)
    assert written.schema.equals(pa.schema(AUDIT))
    assert written.schema.metadata[b"ufd_ray.bank_content"] == bank.content.encode()
    # Fakes (odd) by the falling negative margin; one without a margin is the last of its reason.
    order = [7, 11, 3, 10, 6, 2, 1, 5, 9, 8, 4, 0]
    assert written["image_id"].to_pylist() == [f"image_id{n:02}" for n in order]
    assert {file.name for file in tmp_path.iterdir()} == {"parts", "audit.parquet"}
