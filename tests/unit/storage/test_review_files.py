from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ufd_ray.errors import SettingsError
from ufd_ray.storage import StorageOptions, read_labels, write_sample

OPTIONS = StorageOptions()
IMAGES: list[dict[str, Any]] = [
    {"image_id": f"{n:032x}", "uri": uri, "member": "", "score": n / 4, "verdict": verdict}
    | {"stratum": stratum}
    for n, (uri, verdict, stratum) in enumerate(
        [("a, b.jpg", "real", 1), ("'=1.jpg", "real", 1), ("ü\nx", "fake", 2), ("d;e", "fake", 2)]
    )
]
RECORD = {"seed": 0, "strata": [{"stratum": 1, "low": 0.1}, {"stratum": 2, "low": 0.5}]}

Rows = list[dict[str, str]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "sample.csv"
    write_sample(str(file), RECORD, IMAGES, OPTIONS)
    return file


def labels(file: Path) -> dict[int, list[str | None]]:
    return read_labels(str(file), OPTIONS).labels


def rewrite(
    file: Path, change: Callable[[Rows], object], *, delimiter: str = ",", coding: str = "utf-8"
) -> None:
    """Save the file as another program would, with its rows changed."""
    rows = list(csv.DictReader(io.StringIO(file.read_text(), newline="")))
    change(rows)
    text = io.StringIO(newline="")
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, names, delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    file.write_bytes(text.getvalue().encode(coding))


def fill(words: list[str]) -> Callable[[Rows], object]:
    def change(rows: Rows) -> None:
        for row, word in zip(rows, words, strict=True):
            row["label"] = word

    return change


def test_nothing_is_labelled_at_first(file: Path) -> None:
    assert labels(file) == {1: [None, None], 2: [None, None]}
    assert read_labels(str(file), OPTIONS).record["strata"] == RECORD["strata"]
    header = file.read_text().splitlines()[0].replace('"', "")
    assert header == "image_id,uri,member,score,verdict,stratum,label"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig"])
def test_labels_as_any_spreadsheet_saves_them(file: Path, delimiter: str, coding: str) -> None:
    rewrite(file, fill(["real", " FAKE", "1", ""]), delimiter=delimiter, coding=coding)
    assert labels(file) == {1: ["real", "fake"], 2: ["fake", None]}


def test_rows_may_be_sorted_left_out_and_get_notes(file: Path) -> None:
    def change(rows: Rows) -> None:
        fill(["0", "unsure", "fake", "real"])(rows)
        rows.reverse()
        rows.pop(0)
        for row in rows:
            row["score"], row["note"] = "0,12", "blurred"

    rewrite(file, change)
    assert labels(file) == {1: ["real", "unsure"], 2: ["fake", None]}
    with file.open("a") as out:
        out.write(",,,,,,\n\n")
    assert labels(file) == {1: ["real", "unsure"], 2: ["fake", None]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (fill(["maybe", "", "", ""]), "line 2: label 'maybe'; expected real or fake"),
        (lambda rows: rows[1].update(image_id="f" * 32), "line 3: image_id 'ffff.* is not of this"),
        (lambda rows: rows.append(rows[0]), "line 7: image_id 0{32} stands there a second time"),
        (
            lambda rows: rows[0].update(uri="b"),
            "line 2: uri is 'b' and was 'a, b.jpg'; nothing but",
        ),
        (lambda rows: rows[1].update(verdict="fake"), "line 3: verdict is 'fake' and was 'real'"),
        (lambda rows: rows[2].update(stratum="1"), "line 5: stratum is '1' and was '2'"),
        (lambda rows: [row.pop("stratum") for row in rows], "column stratum is there 0 times"),
        (lambda rows: [row.pop("label") for row in rows], "column label is there 0 times"),
    ],
)
def test_other_changes_are_refused_in_one_line(
    file: Path, change: Callable[[Rows], object], said: str
) -> None:
    rewrite(file, change)
    with pytest.raises(SettingsError, match=said) as refused:
        labels(file)
    assert "\n" not in str(refused.value)


def test_files_that_are_no_such_sample(file: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.csv: nothing is there"):
        labels(tmp_path / "none.csv")
    text = file.read_text()
    for data, said in (
        (b"\xff\xfe\x00", "no UTF-8 text"),
        (b"", "column image_id is there 0 times"),
        (text.replace("label", "uri", 1).encode(), "column uri is there 2 times"),
        (text.encode() + b"1,2,3,4,5,6,7,8,9\n", "line 7: more cells than columns"),
        (text.encode() + b"x" * 200_000, "line 7: no CSV"),
    ):
        file.write_bytes(data)
        with pytest.raises(SettingsError, match=said):
            labels(file)


def test_the_record_has_to_be_there_as_it_was_written(file: Path) -> None:
    record = Path(f"{file}.json")
    changed = json.loads(record.read_text())
    changed["strata"][0]["low"] = 0.2
    record.write_text(json.dumps(changed))
    with pytest.raises(SettingsError, match=r"sample\.csv\.json is not as jobs/report.py wrote it"):
        labels(file)
    record.unlink()
    with pytest.raises(SettingsError, match=r"there is no sample\.csv\.json, which jobs/report.py"):
        labels(file)


def test_labels_are_never_overwritten(file: Path) -> None:
    rewrite(file, fill(["real"] * 4))
    before = file.read_bytes()
    with pytest.raises(SettingsError, match="perhaps with labels in it; choose another name"):
        write_sample(str(file), RECORD, IMAGES, OPTIONS)
    assert file.read_bytes() == before
