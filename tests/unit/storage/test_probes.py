from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from ufd_ray.errors import SettingsError
from ufd_ray.storage import ProbeFiles, StorageOptions, read_probe, write_probe

OPTIONS = StorageOptions()
PROBE = ProbeFiles(
    weight=np.array([0.5, -1.25, 3e-8], np.float32),
    bias=-0.75,
    encoder={"arch": "lite0", "dim": 3},
    dtype="float16",
    thresholds={"default": 0.625, "tuned": 0.25, "max_fpr": None, "calibrated": 1.0},
    calibration={"method": "platt", "scale": 1.5, "shift": -0.25},
    details={"recipe": "logistic", "validation": {"accuracy": 0.9}},
)


def damaged(folder: Path) -> str:
    with pytest.raises(SettingsError) as caught:
        read_probe(str(folder), OPTIONS)
    message = str(caught.value)
    assert message.startswith(f"--probe {folder}: ")
    assert "\n" not in message
    return message


def change(folder: Path, **content: Any) -> None:
    path = folder / "probe.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | content))


def test_round_trip(tmp_path: Path) -> None:
    write_probe(str(tmp_path), PROBE, OPTIONS)
    read = read_probe(str(tmp_path), OPTIONS)
    assert np.array_equal(read.weight, PROBE.weight)
    assert read.weight.dtype == np.float32
    assert replace(read, weight=PROBE.weight) == PROBE
    stored = json.loads((tmp_path / "probe.json").read_text())
    assert stored["recipe"] == "logistic"
    assert stored["thresholds"] == PROBE.thresholds
    assert stored["calibration"] == PROBE.calibration
    tensors = safetensors.numpy.load_file(tmp_path / "probe.safetensors")
    assert {name: tensor.shape for name, tensor in tensors.items()} == {
        "weight": (3,),
        "bias": (1,),
    }


def test_a_bias_is_kept_to_its_bits(tmp_path: Path) -> None:
    bias = float(np.float32(0.1))
    write_probe(str(tmp_path), replace(PROBE, bias=bias), OPTIONS)
    assert read_probe(str(tmp_path), OPTIONS).bias == bias


def test_half_a_probe_is_none(tmp_path: Path) -> None:
    assert "there is no probe.json" in damaged(tmp_path)
    write_probe(str(tmp_path), PROBE, OPTIONS)
    (tmp_path / "probe.safetensors").unlink()
    assert "there is no probe.safetensors" in damaged(tmp_path)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_refused(tmp_path: Path, bad: float) -> None:
    write_probe(str(tmp_path), replace(PROBE, weight=np.array([1, bad], np.float32)), OPTIONS)
    assert "expected finite float32" in damaged(tmp_path)
    write_probe(str(tmp_path), replace(PROBE, bias=bad), OPTIONS)
    assert "expected finite float32" in damaged(tmp_path)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_threshold_that_is_no_score_is_refused(tmp_path: Path, threshold: float) -> None:
    write_probe(str(tmp_path), replace(PROBE, thresholds={"default": threshold}), OPTIONS)
    assert "expected 0–1" in damaged(tmp_path)


@pytest.mark.parametrize(
    "tensors",
    [
        {"weight": np.zeros(3, np.float64), "bias": np.zeros(1, np.float32)},
        {"weight": np.zeros(4, np.float32), "bias": np.zeros(1, np.float32)},
        {"weight": np.zeros((1, 3), np.float32), "bias": np.zeros(1, np.float32)},
        {"weight": np.zeros(3, np.float32), "bias": np.zeros(0, np.float32)},
        {"weight": np.zeros(3, np.float32)},
        {"bias": np.zeros(1, np.float32)},
    ],
)
def test_tensors_of_another_kind_are_refused(tmp_path: Path, tensors: dict[str, Any]) -> None:
    write_probe(str(tmp_path), PROBE, OPTIONS)
    safetensors.numpy.save_file(tensors, tmp_path / "probe.safetensors")
    damaged(tmp_path)


@pytest.mark.parametrize("data", [b"", b"rubbish", b"\xff" * 100])
def test_a_damaged_file_is_refused(tmp_path: Path, data: bytes) -> None:
    write_probe(str(tmp_path), PROBE, OPTIONS)
    (tmp_path / "probe.safetensors").write_bytes(data)
    assert "unusable" in damaged(tmp_path)


@pytest.mark.parametrize(
    "content",
    [{"thresholds": {}}, {"thresholds": None}, {"thresholds": {"default": "x"}}, {"dim": 4}],
)
def test_a_damaged_document_is_refused(tmp_path: Path, content: dict[str, Any]) -> None:
    write_probe(str(tmp_path), PROBE, OPTIONS)
    change(tmp_path, **content)
    damaged(tmp_path)


@pytest.mark.parametrize("key", ["encoder", "dtype", "dim", "thresholds"])
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    write_probe(str(tmp_path), PROBE, OPTIONS)
    path = tmp_path / "probe.json"
    content = json.loads(path.read_text())
    del content[key]
    path.write_text(json.dumps(content))
    assert key in damaged(tmp_path)


def test_another_format_is_refused(tmp_path: Path) -> None:
    write_probe(str(tmp_path), PROBE, OPTIONS)
    change(tmp_path, format_version=99)
    assert "format version 99; this release reads 1" in damaged(tmp_path)


def test_an_older_probe_has_no_further_thresholds(tmp_path: Path) -> None:
    write_probe(str(tmp_path), PROBE, OPTIONS)
    change(tmp_path, thresholds={"default": 0.625}, calibration=None)
    read = read_probe(str(tmp_path), OPTIONS)
    missing = {"tuned": None, "max_fpr": None, "calibrated": None}
    assert (read.thresholds, read.calibration) == ({"default": 0.625} | missing, None)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"thresholds": {"default": 0.5, "tuned": 1.5}}, "tuned is 1.5; expected 0–1"),
        ({"thresholds": {"default": 0.5, "max_fpr": "no"}}, "max_fpr is 'no'; expected 0–1"),
        ({"thresholds": {"default": None}}, "default is None; expected 0–1"),
        ({"thresholds": [0.5]}, "expected numbers by name"),
        ({"calibration": {"scale": 1.0, "shift": 0.0}}, "method (platt or temperature)"),
        ({"calibration": {"method": "platt", "scale": -1.0, "shift": 0.0}}, "scale over 0"),
        ({"calibration": {"method": "platt", "scale": 1.0, "shift": None}}, "finite shift"),
    ],
)
def test_unusable_thresholds_and_calibrations_are_refused(
    tmp_path: Path, content: dict[str, Any], complaint: str
) -> None:
    write_probe(str(tmp_path), PROBE, OPTIONS)
    change(tmp_path, **content)
    assert complaint in damaged(tmp_path)
