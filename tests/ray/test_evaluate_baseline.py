"""A baseline judged beside a probe, through Ray."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.crawl.handmade import make_probe
from tests.crawl.runs import run_here
from tests.crawl.tiny_baseline import save_untrained, scores_without_ray, tiny_known
from tests.ray.smooth_images import smooth
from ufd_ray.encoders import Encoder
from ufd_ray.evaluation import average_precision
from ufd_ray.pipeline import evaluate as job
from ufd_ray.pipeline.evaluate import evaluate
from ufd_ray.pipeline.evaluating import figures as figures_of
from ufd_ray.settings import EvaluateSettings

NUM = 12
"""Images of a class."""


def test_a_baseline_is_judged_beside_our_detectors(
    ray_cluster: dict[str, Any],
    small_encoder: Encoder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("0_real", "1_fake"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for number in range(NUM):
            image = smooth(1000 + 100 * (name == "1_fake") + number)
            image.save(tmp_path / "set" / name / f"{number}.png")
    make_probe(tmp_path / "probe", small_encoder.identity, weight=0.1)
    out, baseline = tmp_path / "out", save_untrained(tmp_path / "baseline", "set")
    flags = (f"--input={tmp_path / 'set'}", f"--probe={tmp_path / 'probe'}", f"--output={out}")
    flags += ("--batch-size=8", "--no-gallery", f"--compare-baseline=small={baseline}")
    # What is drawn of any detector takes a while.
    monkeypatch.setattr(figures_of, "score_figures", lambda *_: {})
    monkeypatch.setattr(job, "mean_spectra", lambda *_: None)
    with tiny_known():
        ended = run_here(EvaluateSettings, evaluate, *flags)
    assert (ended.status, ended.err) == (0, "")
    rows = pq.read_table(out / "scores.parquet").to_pylist()
    expected = scores_without_ray(tmp_path / "baseline", [Path(row["uri"]) for row in rows])
    assert [row["baseline_small"] for row in rows] == pytest.approx(expected, abs=1e-6)
    assert len(set(expected)) == 2 * NUM
    document = json.loads((out / "evaluation.json").read_text())
    assert document["detectors"] == {
        "probe_score": {"default": 0.5, "tuned": None},
        "baseline_small": {"default": 0.5, "tuned": 0.25},
    }
    assert document["baselines"]["small"]["name"] == "tiny"
    assert document["baselines"]["small"]["sources"] == []
    drawn = document["figures"]["t-sne-baseline_small"]
    assert drawn["images"] == {"seen_real": NUM, "seen_fake": NUM}
    assert drawn["seen_sets"] == ["set"]
    figures = {file["name"] for file in document["files"] if file["name"].startswith("figures/")}
    names = ("baselines", "t-sne", "t-sne-baseline_small")
    assert figures == {f"figures/{name}.{kind}" for name in names for kind in ("svg", "png")}
    content = document["fingerprint"]["compared_baselines"]["small"]
    assert len(content["sha256"]) == 64
    assert (content["thresholds"]["tuned"], content["seen"]) == (0.25, ["set"])
    metrics = pq.read_table(out / "metrics.parquet").to_pylist()
    found = {one["metric"]: one["value"] for one in metrics if one["detector"] == "baseline_small"}
    labels = np.array([row["label"] for row in rows])
    assert found["average_precision"] == average_precision(labels, expected)
    assert {"accuracy", "accuracy_tuned", "accuracy_oracle", "ece"} <= found.keys()
    text = (out / "tables.md").read_text()
    assert "\n- small: tiny, convolutions (not as published); trained on set\n" in text
    assert "\n- small, sets of what it was made from (set): calls " in text
    assert "\n- probe, all sets: calls " in text
    for title in ("small", "small, tuned", "small, oracle *"):
        assert f"\n| {title} |" in text
    assert "baseline_small: mAP" in ended.out


def test_a_damaged_network_is_found_before_anything_is_scored(
    ray_cluster: dict[str, Any], small_encoder: Encoder, tmp_path: Path
) -> None:
    for name in ("0_real", "1_fake"):
        (tmp_path / "set" / name).mkdir(parents=True)
        smooth(1).save(tmp_path / "set" / name / "1.png")
    make_probe(tmp_path / "probe", small_encoder.identity, weight=0.1)
    baseline = save_untrained(tmp_path / "baseline", "set")
    file = baseline / "baseline.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    flags = (f"--input={tmp_path / 'set'}", f"--probe={tmp_path / 'probe'}", "--dry-run")
    flags += (f"--output={tmp_path / 'out'}", f"--compare-baseline=small={baseline}")
    with tiny_known():
        ended = run_here(EvaluateSettings, evaluate, *flags)
    assert ended.status == 2
    assert f"--compare-baseline small={baseline}: " in ended.err
    assert "is damaged" in ended.err
