"""A run's images drawn, labelled and judged, by the two commands."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jobs.evaluate
import jobs.report
from tests.unit.storage.runs.whole import publish_whole
from ufd_ray.command_line import run_job
from ufd_ray.outcome import Outcome
from ufd_ray.settings import EvaluateSettings, ReportSettings

PROBE = {"decided_by": "probe", "threshold": 0.5, "unsure_above": None}
Word = Callable[[dict[str, str]], str]


def report(*flags: object) -> Outcome:
    with pytest.raises(SystemExit) as ended:
        run_job(ReportSettings, jobs.report.main, [str(flag) for flag in flags])
    return Outcome(ended.value.code)


def evaluate(*flags: object) -> Outcome:
    with pytest.raises(SystemExit) as ended:
        run_job(EvaluateSettings, jobs.evaluate.main, [str(flag) for flag in flags])
    return Outcome(ended.value.code)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """600 images of which those named fake-… are; the detector errs near its threshold."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(600):
        fake = number % 5 == 0
        score = float(np.clip(rng.normal(0.75 if fake else 0.25, 0.15), 0, 1))
        name = f"{'fake' if fake else 'real'}-{number}.jpg"
        verdict = "fake" if score > 0.5 else "real"
        rows.append({"uri": name, "probe_score": score, "verdict": verdict, "content_hash": name})
    root = tmp_path_factory.mktemp("scores")
    return publish_whole(root, "r", rows, facts={"detectors": PROBE}, rows_per_file=100)


def label(file: Path, word: Word) -> None:
    rows = list(csv.DictReader(io.StringIO(file.read_text())))
    for row in rows:
        row["label"] = word(row)
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    file.write_text(text.getvalue())


def told(row: dict[str, str]) -> str:
    return row["uri"].partition("-")[0]


def document(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "review.json").read_text())
    return found


def test_what_was_drawn_and_labelled_tells_how_right_the_run_is(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "sample.csv"
    assert report("--run", run, "--sample", 200, "--output", file) == Outcome.PUBLISHED
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("600 rows: 0 without a score, 0 further names of the same bytes, 600")
    assert said[-1] == f"200 images to label (real, fake or unsure): {file}"
    assert len(said) == 2 + len(json.loads(Path(f"{file}.json").read_text())["strata"])
    label(file, told)
    place = tmp_path / "review"
    assert evaluate("--labels", file, "--run", run, "--output", place) == Outcome.PUBLISHED
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("200 images drawn of 600: ")
    assert said[0].endswith("0 unsure (left out), 0 without a label")
    found = document(place)
    figures = found["figures"]
    assert figures["prevalence"]["low"] <= 0.2 <= figures["prevalence"]["high"]
    assert 0.8 < figures["precision"]["value"] < 1
    assert found["scores"]["run_ids"] == ["r"]
    assert found["with_unsure_as"] is None
    # All of them, and all of these labelled: no estimate any more.
    whole = tmp_path / "whole.csv"
    assert report("--run", run, "--sample", 600, "--output", whole) == Outcome.PUBLISHED
    label(whole, told)
    assert evaluate("--labels", whole, "--output", tmp_path / "exact") == Outcome.PUBLISHED
    exact = document(tmp_path / "exact")["figures"]
    assert exact["prevalence"]["low"] == exact["prevalence"]["high"] == pytest.approx(0.2)
    for name, figure in figures.items():
        assert figure["low"] <= exact[name]["value"] <= figure["high"], name


def test_labels_come_bit_by_bit(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, place = tmp_path / "sample.csv", tmp_path / "review"
    assert report("--run", run, "--sample", 60, "--output", file) == Outcome.PUBLISHED
    assert evaluate("--labels", file, "--output", place) == Outcome.UNUSABLE_SETTINGS
    assert "no image in it is labelled real or fake yet" in capsys.readouterr().err
    assert not place.exists()
    widths = []
    for num in (20, 60):
        first = [row["image_id"] for row in csv.DictReader(io.StringIO(file.read_text()))][:num]
        label(file, lambda row, ids=first: told(row) if row["image_id"] in ids else "")  # type: ignore[misc]
        assert evaluate("--labels", file, "--output", place) == Outcome.PUBLISHED
        found = document(place)
        assert found["labels"]["none"] == 60 - num
        widths.append(found["figures"]["accuracy"]["high"] - found["figures"]["accuracy"]["low"])
    assert widths[1] < widths[0]
    label(file, lambda row: "unsure" if row["uri"].endswith("0.jpg") else told(row))
    assert evaluate("--labels", file, "--output", place) == Outcome.PUBLISHED
    found = document(place)
    unsure = found["with_unsure_as"]
    assert unsure["real"]["prevalence"] < unsure["fake"]["prevalence"]
    assert sum(stratum["unsure"] for stratum in found["strata"]) == found["labels"]["unsure"] > 0


def test_a_review_is_of_one_sample_of_one_run(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other, place = tmp_path / "a.csv", tmp_path / "b.csv", tmp_path / "review"
    for seed, file in enumerate((one, other)):
        flags = ("--run", run, "--sample", 40, "--output", file, "--seed", seed)
        assert report(*flags) == Outcome.PUBLISHED
        label(file, told)
    assert report("--run", run, "--output", one) == Outcome.UNUSABLE_SETTINGS
    assert "perhaps with labels in it" in capsys.readouterr().err
    assert evaluate("--labels", one, "--output", place) == Outcome.PUBLISHED
    assert evaluate("--labels", other, "--output", place) == Outcome.UNUSABLE_SETTINGS
    assert "holds the review of another sample" in capsys.readouterr().err
    row = {"uri": "a", "probe_score": 0.9, "verdict": "fake"}
    another = publish_whole(tmp_path, "s", [row], facts={"detectors": PROBE})
    flags = ("--labels", one, "--run", another, "--output", place)
    assert evaluate(*flags) == Outcome.UNUSABLE_SETTINGS
    assert (
        "run_ids is ['s'], and the sample was drawn where it was ['r']" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("job", "flags", "said"),
    [
        (report, ["--run", "r", "--output", "x.xlsx"], "expected a name that ends with .csv"),
        (report, ["--run", "r", "--output", "x.csv", "--sample", "5"], "--sample: Input should be"),
        (report, ["--output", "x.csv"], "--run is required"),
        (evaluate, ["--output", "o", "--probe", "p"], "--input is required"),
        (evaluate, ["--output", "o", "--input", "i", "--run", "r"], "--run needs --labels"),
        (evaluate, ["--output", "o", "--labels", "f", "--bank", "b"], "--bank means nothing"),
        (evaluate, ["--output", "o", "--labels", "f", "--input", "i"], "--input means nothing"),
        (evaluate, ["--output", "o", "--labels", "none.csv"], "none.csv: nothing is there"),
    ],
)
def test_what_cannot_be_done_is_said(
    capsys: pytest.CaptureFixture[str], job: Callable[..., Outcome], flags: list[str], said: str
) -> None:
    assert job(*flags) == Outcome.UNUSABLE_SETTINGS
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
