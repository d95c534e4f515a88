"""A run whose margin decides, with thresholds, calibration and `unsure`; and a notebook's."""

from __future__ import annotations

import io
import json
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import ufd_ray
from tests.crawl.fixtures import Crawled, Trained
from tests.crawl.plain import K
from tests.crawl.runs import Run, read_folder, run_here
from ufd_ray.detectors import Calibration
from ufd_ray.errors import SettingsError
from ufd_ray.pipeline.calibrate import calibrate
from ufd_ray.pipeline.score import score
from ufd_ray.settings import CalibrateSettings, ScoreSettings
from ufd_ray.storage import Choice, StorageOptions, embedding_matrix, export_runs, verify_run

HERE = StorageOptions()
UNSURE_ABOVE = -0.5


@dataclass(frozen=True)
class Judged:
    """A run scored again from its embeddings.

    Attributes:
        root: where both runs lie.
        bank: with its `neighbors.json`.
        probe: calibrated.
        run: the second run.
    """

    root: Path
    bank: Path
    probe: Path
    run: Run


@pytest.fixture(scope="module")
def judged(trained: Trained, disk_run: Crawled, tmp_path_factory: pytest.TempPathFactory) -> Judged:
    root = tmp_path_factory.mktemp("judged")
    bank = Path(shutil.copytree(trained.bank, root / "bank"))
    probe = root / "probe"
    for name, data in disk_run.run.files.items():
        place = root / "runs" / "whole" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    flags = [f"--probe={trained.probe}", f"--on={bank}", f"--output={probe}"]
    for given in ([f"--bank={bank}"], flags):
        ended = run_here(CalibrateSettings, calibrate, *given)
        assert ended.status == 0, ended.err
    flags = ["--from-run=whole", f"--output={root}", "--run-id=judged", f"--k={K}"]
    flags += [f"--bank={bank}", f"--probe={probe}", "--decide-by=margin", "--threshold=tuned"]
    flags += [f"--unsure-above={UNSURE_ABOVE}", "--max-error-rate=1"]
    flags += ["--search=sharded", "--search-shards=2"]
    ended = run_here(ScoreSettings, score, *flags)
    assert ended.status == 0, ended.err
    return Judged(root, bank, probe, Run(ended, read_folder(root / "runs" / "judged")))


@pytest.fixture(scope="module")
def neighbors(judged: Judged) -> Any:
    """`neighbors.json`."""
    return json.loads((judged.bank / "neighbors.json").read_text())


def test_the_margin_decides_at_the_banks_own_threshold(judged: Judged, neighbors: Any) -> None:
    threshold = neighbors["thresholds"]["tuned"]
    rows = [row for row in judged.run.rows() if row["status"] == "scored"]
    words = [
        "fake" if row["nn_margin"] > threshold
        else "unsure" if row["nn_margin"] > UNSURE_ABOVE
        else "real"
        for row in rows
    ]  # fmt: skip
    assert [row["verdict"] for row in rows] == words
    assert {"fake", "unsure"} <= set(words)
    assert judged.run.json["counts"]["by_verdict"] == Counter(words)
    assert f"{Counter(words)['unsure']} unsure" in judged.run.ended.out


def test_a_bank_in_parts_says_what_the_whole_says(judged: Judged, disk_run: Crawled) -> None:
    names = ["nn_vote", "nn_margin", "nn_real_distance", "nn_fake_distance", "neighbors"]
    said = [
        {row["image_id"]: [row[name] for name in names] for row in run.rows()}
        for run in (judged.run, disk_run.run)
    ]
    assert said[0] == said[1]
    said_how = "search: sharded in 2 parts on cpu, as asked: the bank takes 1 MiB"
    assert said_how in judged.run.ended.out
    for run, mode in ((judged.run, "sharded"), (disk_run.run, "replicated")):
        search, num_scored = run.json["search"], run.json["counts"]["by_status"]["scored"]
        assert (search["mode"], search["num_queries"]) == (mode, num_scored)
        assert search["num_certified"] + search["num_recomputed"] == num_scored


def test_probabilities_are_the_probes_calibration(judged: Judged) -> None:
    stored = json.loads((judged.probe / "probe.json").read_text())["calibration"]
    rows = [row for row in judged.run.rows() if row["status"] == "scored"]
    logits = np.array([row["probe_logit"] for row in rows], np.float32)
    expected = Calibration.from_dict(stored).probabilities(logits)
    assert [row["probe_probability"] for row in rows] == expected.tolist()


def test_all_that_decided_is_written_down(judged: Judged, neighbors: Any) -> None:
    said = judged.run.json["detectors"]
    assert (said["decided_by"], said["threshold_name"]) == ("margin", "tuned")
    assert said["threshold"] == neighbors["thresholds"]["tuned"]
    assert (said["unsure_above"], said["unsure_above_name"]) == (UNSURE_ABOVE, "given")
    assert said["neighbors_calibration"] == neighbors["calibration"]
    metadata = pq.read_schema(io.BytesIO(judged.run.files["scores/part-00000.parquet"])).metadata
    for name in ("threshold", "unsure_above", "probe_calibration", "neighbors_calibration"):
        assert json.loads(metadata[f"ufd_ray.{name}".encode()]) == said[name], name
    page = judged.run.files["report.html"].decode()
    assert "called fake by the neighbours’ margin" in page
    assert "the dotted one -0.5, above which an image is unsure" in page


def test_the_same_settings_are_the_same_run_and_others_are_not(judged: Judged) -> None:
    flags = ["--from-run=whole", f"--output={judged.root}", "--run-id=judged", f"--k={K}"]
    flags += [f"--bank={judged.bank}", f"--probe={judged.probe}", "--decide-by=margin"]
    said = run_here(ScoreSettings, score, *flags, "--threshold=tuned")
    assert (said.status, "unsure_above was -0.5, is None" in said.err) == (2, True)
    tuned = judged.run.json["detectors"]["threshold"]
    same = (f"--threshold={tuned!r}", f"--unsure-above={UNSURE_ABOVE}")
    again = run_here(ScoreSettings, score, *flags, *same)
    assert (again.status, "published already" in again.out) == (0, True)


def test_it_is_sound_and_can_be_exported(judged: Judged) -> None:
    verified = verify_run(str(judged.root), "judged", HERE)
    assert (verified.num_rows > 0, list(verified.faults)) == (True, [])
    to = judged.root / "unsure.jsonl"
    found = export_runs(
        str(judged.root), ["judged"], Choice(("unsure",), min_score=-0.25), str(to), HERE
    )
    lines = [json.loads(line) for line in to.read_text().splitlines()]
    assert len(lines) == found.num_images > 0
    scores = [line["score"] for line in lines]
    assert scores == sorted(scores, reverse=True) == [line["nn_margin"] for line in lines]
    assert min(scores) >= -0.25


# In a notebook


def test_a_runs_own_numbers_to_the_bit_from_the_same_embedding(judged: Judged) -> None:
    whole = Run(judged.run.ended, read_folder(judged.root / "runs" / "whole"))
    kept = whole.table("embeddings")
    for run in (whole, judged.run):
        loaded = ufd_ray.load_detector(str(judged.root / "runs" / run.json["run_id"]))
        found = loaded.detect(embedding_matrix(kept["embedding"].combine_chunks())).to_pylist()
        rows = {row["image_id"]: row for row in run.rows()}
        for name, row in zip(kept["image_id"].to_pylist(), found, strict=True):
            own = {k: v for k, v in rows[name].items() if k.startswith(("nn_", "probe_"))}
            own |= {k: rows[name][k] for k in ("verdict", "neighbors", "status")}
            assert {k: row[k] for k in own} == own


def test_and_within_1e_5_from_the_same_bytes(disk_run: Crawled, judged: Judged) -> None:
    loaded = ufd_ray.load_detector(str(judged.root / "runs" / "whole"))
    items, scored = disk_run.crawl.items, disk_run.crawl.scored
    # What changed after it was listed, only a listing can tell.
    failed = [uri for uri in items if uri not in scored and items[uri].code != "changed"]
    some = [*list(scored)[::4], *failed]
    by_uri = {row["uri"]: row for row in disk_run.run.rows()}
    found = loaded.predict([uri if uri in failed else scored[uri].data for uri in some])
    for uri, row in zip(some, found.to_pylist(), strict=True):
        own = by_uri[uri]
        same = ("status", "error_code", "content_hash", "format", "width", "height", "verdict")
        assert {k: row[k] for k in same} == {k: own[k] for k in same}, uri
        for name in ("probe_logit", "probe_score", "nn_vote", "nn_margin", "nn_fake_distance"):
            if own[name] is not None:
                assert abs(row[name] - own[name]) <= 1e-5 * max(1, abs(own[name])), (uri, name)


def test_a_run_whose_bank_was_changed_is_refused(judged: Judged, tmp_path: Path) -> None:
    bank = Path(shutil.copytree(judged.bank, tmp_path / "bank"))
    (bank / "neighbors.json").unlink()
    path = bank / "bank.json"
    document = json.loads(path.read_text())
    document["shards"] = document["shards"][:1]
    path.write_text(json.dumps(document))
    with pytest.raises(SettingsError, match="the run's bank or probe was changed since: bank_con"):
        ufd_ray.load_detector(str(judged.root / "runs" / "judged"), bank=str(bank))
