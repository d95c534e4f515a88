from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.crawl.handmade import HERE
from ufd_ray.evaluation import ScoreColumn, SetPlan
from ufd_ray.evaluation.sweeps import KINDS, Setting, Sweep, judge_sweep
from ufd_ray.pipeline.sweeping import writing
from ufd_ray.pipeline.sweeping.writing import describe_sweeps, sweep_drawings, write_sweeps
from ufd_ray.schema import SWEEPS

LABELS = np.array([0, 0, 1, 1], np.int8)
GOOD = np.array([0.1, 0.2, 0.8, 0.9], np.float32)


@pytest.fixture(scope="module")
def sweeps() -> list[Sweep]:
    columns = [ScoreColumn("probe_score", 0.5)]
    found = []
    for name, scores in (("jpeg", GOOD), ("bank", np.full(4, np.nan, np.float32))):
        settings = [Setting(one, columns, {"probe_score": scores}) for one in ("x", "y")]
        names = np.array(["a"] * 4, object)
        found.append(judge_sweep(name, settings, SetPlan({"a": "a"}, {}), names, LABELS, seed=0))
    return found


def test_tables_have_the_rows_of_all_sweeps(sweeps: list[Sweep], tmp_path: Path) -> None:
    files = write_sweeps(str(tmp_path), sweeps, HERE)
    assert [file["name"] for file in files] == ["sweeps.parquet", "sweeps.csv"]
    table = pq.read_table(tmp_path / "sweeps.parquet")
    assert table.schema.equals(pa.schema(SWEEPS))
    assert len(table) == sum(len(sweep.rows) for sweep in sweeps) > 0
    with open(tmp_path / "sweeps.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(row["sweep"], row["setting"], row["set"]) for row in rows} == {
        ("jpeg", setting, name) for setting in "xy" for name in ("a", "mean/all")
    }


def test_each_sweep_with_figures_is_drawn(sweeps: list[Sweep]) -> None:
    drawings = sweep_drawings(sweeps)
    assert list(drawings) == ["sweep-jpeg", "sweep-jpeg-accuracy"]
    assert drawings["sweep-jpeg"].png.startswith(b"\x89PNG")


def test_banks_are_points_and_qualities_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    for name in ("points_figure", "sweep_figure"):
        monkeypatch.setattr(writing, name, lambda title, *_, by=name: drawn.append((title, by)))
    columns, names = [ScoreColumn("probe_score", 0.5)], np.array(["a"] * 4, object)
    settings = [Setting(one, columns, {"probe_score": GOOD}) for one in ("x", "y")]
    for kind in KINDS:
        plan = SetPlan({"a": "a"}, {})
        sweep_drawings([judge_sweep(kind, settings, plan, names, LABELS, seed=0)])
    points = {title for title, by in drawn if by == "points_figure"}
    assert points == {KINDS[kind].title for kind in ("bank", "preprocess")}
    assert len(drawn) == 2 * len(KINDS)


def test_the_record_says_what_was_judged(sweeps: list[Sweep]) -> None:
    described = describe_sweeps(sweeps)
    assert described["jpeg"] == {
        "settings": ["x", "y"],
        "images": 4,
        "left_out": [],
        "notes": {},
        "mean_average_precision": {"probe": [100.0, 100.0]},
        "mean_accuracy": {"probe": [100.0, 100.0]},
    }
    assert (described["bank"]["images"], described["bank"]["left_out"]) == (0, ["a"])


def test_a_setting_without_a_detector_is_null_in_the_record() -> None:
    probe, vote = ScoreColumn("probe_score", 0.5), ScoreColumn("nn_vote_k1", 0.5)
    settings = [
        Setting("own", [vote], {"nn_vote_k1": GOOD}),
        Setting("b", [probe, vote], {"probe_score": GOOD, "nn_vote_k1": GOOD}),
    ]
    names = np.array(["a"] * 4, object)
    sweep = judge_sweep("bank", settings, SetPlan({"a": "a"}, {}), names, LABELS, seed=0)
    described = describe_sweeps([sweep])["bank"]
    assert described["mean_accuracy"]["probe"] == [None, 100.0]
    json.dumps(described, allow_nan=False)
