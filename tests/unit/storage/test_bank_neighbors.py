from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.crawl.handmade import HERE, make_bank
from ufd_ray.errors import SettingsError
from ufd_ray.storage import (
    BankInfo,
    NeighborsFile,
    read_bank_info,
    read_neighbors,
    write_neighbors,
)

FILE = NeighborsFile(
    thresholds={"default": 0.0, "tuned": -0.0125, "max_fpr": None, "calibrated": 0.5},
    calibration={"method": "temperature", "scale": 40.0, "shift": 0.0},
    details={"judged": {"of": "val"}},
)


@pytest.fixture
def bank(tmp_path: Path) -> BankInfo:
    return read_bank_info(str(make_bank(tmp_path)), HERE)


def refused(bank: BankInfo) -> str:
    with pytest.raises(SettingsError) as caught:
        read_neighbors(bank, HERE)
    assert str(caught.value).startswith(f"--bank {bank.uri}: ")
    return str(caught.value)


def change(bank: BankInfo, **content: Any) -> None:
    path = Path(bank.uri, "neighbors.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | content))


def test_round_trip(bank: BankInfo) -> None:
    assert read_neighbors(bank, HERE) is None
    write_neighbors(bank, FILE, HERE)
    assert read_neighbors(bank, HERE) == FILE


def test_one_that_is_there_is_left_alone_unless_asked(bank: BankInfo) -> None:
    write_neighbors(bank, FILE, HERE)
    other = NeighborsFile({"default": 0.0, "tuned": 1.0, "max_fpr": None, "calibrated": None})
    with pytest.raises(FileExistsError):
        write_neighbors(bank, other, HERE)
    assert read_neighbors(bank, HERE) == FILE
    write_neighbors(bank, other, HERE, replace=True)
    assert read_neighbors(bank, HERE) == other


def test_one_of_other_shards_is_refused(bank: BankInfo, tmp_path: Path) -> None:
    write_neighbors(bank, FILE, HERE)
    other = read_bank_info(str(make_bank(tmp_path, num_rows=8)), HERE)
    said = refused(other)
    assert "made for other shards than the bank has now" in said
    assert "--replace" in said


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"thresholds": None}, "expected numbers by name"),
        ({"thresholds": {}}, "default is None; expected a finite number"),
        ({"thresholds": {"default": float("nan")}}, "default is nan; expected a finite number"),
        ({"thresholds": {"default": 0.0, "tuned": "low"}}, "tuned is 'low'; expected a finite"),
        ({"thresholds": {"default": 0.0, "tuned": True}}, "tuned is True; expected a finite"),
        ({"calibration": []}, "a finite scale over 0 and a finite shift"),
        ({"calibration": {"method": "platt", "scale": 0.0, "shift": 0.0}}, "scale over 0"),
        ({"calibration": {"method": "platt", "scale": 1.0}}, "finite shift"),
        ({"calibration": {"method": "guess", "scale": 1.0, "shift": 0.0}}, "platt or temperature"),
        ({"format_version": 2}, "format version 2"),
    ],
)
def test_a_damaged_one_is_refused(bank: BankInfo, content: Any, complaint: str) -> None:
    write_neighbors(bank, FILE, HERE)
    change(bank, **content)
    assert complaint in refused(bank)
