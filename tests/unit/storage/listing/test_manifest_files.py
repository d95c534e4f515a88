from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ufd_ray.storage.listing import manifest_files as module
from ufd_ray.storage.listing.manifest_files import read_csv, read_json_lines, read_text


def table_of(read: Callable[..., Iterator[Any]], text: str | bytes) -> Any:
    data = text.encode() if isinstance(text, str) else text
    return pa.concat_tables(read(partial(io.BytesIO, data)))


def csv_column(*values: str) -> Any:
    column = table_of(read_csv, "uri,x\n" + "".join(f"/a,{value}\n" for value in values))["x"]
    return column.type, column.to_pylist()


@pytest.mark.parametrize(
    ("values", "kind", "found"),
    [
        (["1", "-2", ""], pa.int64(), [1, -2, None]),
        (["999999999999999999"], pa.int64(), [10**18 - 1]),
        (["1", "2.5", "1e3"], pa.float64(), [1.0, 2.5, 1000.0]),
        (["true", "False", ""], pa.bool_(), [True, False, None]),
        (["0", "1"], pa.int64(), [0, 1]),
        (["", ""], pa.string(), [None, None]),
    ],
)
def test_numbers_and_truth_are_that(values: list[str], kind: Any, found: list[Any]) -> None:
    assert csv_column(*values) == (kind, found)


@pytest.mark.parametrize(
    "values",
    [
        ["00123", "7"],
        ["7", "-01"],
        ["01.5"],
        ["1", "x"],
        ["1234567890123456789", "1"],
        ["0x10"],
        ["+49"],
        ["2026-11-24"],
        ["2026-11-24T03:04:05Z"],
        ["1", "true"],
        ["1.5", "NA"],
    ],
)
def test_all_else_stays_as_it_stands(values: list[str]) -> None:
    assert csv_column(*values) == (pa.string(), values)


def test_names_and_words_of_ours_are_text_whatever_they_look_like() -> None:
    names = ["uri", "member", "etag", "source", "split", "label"]
    table = table_of(read_csv, ",".join(names) + "\n" + ",".join(["1"] * len(names)) + "\n")
    assert table.schema.types == [pa.string()] * len(names)


def test_one_late_value_decides_for_the_whole_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CSV_BLOCK", 100)
    rows = [f"/{n},{n},{n},{n}" for n in range(1000)] + ["/x,word,0.5,007"]
    tables = list(read_csv(partial(io.BytesIO, "\n".join(["uri,a,b,c", *rows]).encode())))
    assert len(tables) > 10
    assert len({table.schema for table in tables}) == 1
    assert tables[0].schema.types == [pa.string(), pa.string(), pa.float64(), pa.string()]
    whole = pa.concat_tables(tables)
    assert whole["a"].to_pylist() == [*map(str, range(1000)), "word"]
    assert whole["b"].to_pylist() == [*map(float, range(1000)), 0.5]


def test_a_late_row_of_another_width_is_refused_before_any_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_CSV_BLOCK", 100)
    text = "uri,a\n" + "/a,1\n" * 1000 + "/b\n"
    with pytest.raises(pa.ArrowInvalid, match="Expected 2 columns"):
        next(read_csv(partial(io.BytesIO, text.encode())))


VALUES = st.none() | st.integers(-(2**60), 2**60) | st.text() | st.booleans()
ROWS = st.lists(
    st.dictionaries(st.sampled_from(["a", "b"]), VALUES).map(lambda row: {"uri": "/x"} | row),
    min_size=1,
    max_size=8,
)


@given(rows=ROWS, batch=st.integers(1, 4))
def test_json_lines_are_the_same_however_they_are_batched(
    rows: list[dict[str, Any]], batch: int
) -> None:
    text = "\n".join(json.dumps(row) for row in rows)

    def outcome() -> Any:
        try:
            return table_of(read_json_lines, text).to_pylist()
        except (pa.ArrowException, ValueError):
            return "refused"

    whole = outcome()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_ROWS", batch)
        assert outcome() == whole
    if whole != "refused":
        assert [{k: v for k, v in row.items() if v is not None} for row in whole] == [
            {k: v for k, v in row.items() if v is not None} for row in rows
        ]


@pytest.mark.parametrize("batch", [1, 10])
def test_values_of_json_lines_meet_in_one_type(monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    monkeypatch.setattr(module, "_ROWS", batch)
    lines = ['{"uri": "/a", "n": 1, "d": {"x": 1}}', '{"uri": "/b", "n": 0.5, "d": {"y": "z"}}']
    tables = list(read_json_lines(partial(io.BytesIO, "\n".join(lines).encode())))
    assert {table.schema for table in tables} == {tables[0].schema}
    table = pa.concat_tables(tables)
    assert table["n"].to_pylist() == [1.0, 0.5]
    assert table["d"].to_pylist() == [{"x": 1, "y": None}, {"x": None, "y": "z"}]


@pytest.mark.parametrize("batch", [1, 10])
def test_what_is_wrong_with_json_lines_is_named(
    monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(module, "_ROWS", batch)
    with pytest.raises(ValueError, match="line 3"):
        table_of(read_json_lines, '{"uri": "/a"}\n\n{"uri": \n')
    with pytest.raises((pa.ArrowException, ValueError), match=r"\bn\b.*int64"):
        table_of(read_json_lines, '{"uri": "/a", "n": 1}\n{"uri": "/b", "n": "x"}\n')


def test_text_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ROWS", 2)
    tables = list(read_text(partial(io.BytesIO, b"a\r\n\nb\n  \nc d\n\xc2\x85e")))
    assert [table["uri"].to_pylist() for table in tables] == [["a", "b"], ["c d", "\x85e"]]
