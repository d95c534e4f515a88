from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from ufd_ray.storage.cutting import cut

SCHEMA = pa.schema([("n", pa.int64())])


@given(st.lists(st.integers(0, 9), max_size=8), st.integers(1, 7))
def test_all_rows_in_order_in_files_of_one_length(lengths: list[int], rows_per_file: int) -> None:
    total = sum(lengths)
    begun = [sum(lengths[:number]) for number in range(len(lengths))]
    tables = [
        pa.table({"n": pa.array(range(first, first + length), pa.int64())})
        for first, length in zip(begun, lengths, strict=True)
    ]
    files = [table["n"].to_pylist() for table in cut(tables, rows_per_file, SCHEMA)]
    assert [n for file in files for n in file] == list(range(total))
    assert [len(file) for file in files[:-1]] == [rows_per_file] * (len(files) - 1)
    assert len(files) == max(-(-total // rows_per_file), 1)
