"""Figures of an evaluation: which there are, what is said of them, and that strangers' names do."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.crawl.handmade import HERE, TINY, make_bank, make_probe
from tests.unit.pipeline.evaluating.rows import PLAN, scored, table
from tests.unit.report.figures.harmless import assert_harmless
from ufd_ray.evaluation import ScoreColumn
from ufd_ray.images import SpectrumSums
from ufd_ray.pairing import Detectors
from ufd_ray.pipeline.evaluating.embedding_figure import seen_embeddings
from ufd_ray.pipeline.evaluating.evaluation import Evaluation
from ufd_ray.pipeline.evaluating.publishing import publish
from ufd_ray.pipeline.evaluating.score_figures import drawn
from ufd_ray.pipeline.evaluating.spectra import Spectra
from ufd_ray.settings import EvaluateSettings
from ufd_ray.storage import embedding_column, read_bank_info

HOSTILE = '<script>alert(1)</script>$\\frac{1}$ -- > "&\u202e' + "long" * 40
SHARES = {"probe_score", "nn_vote_k3"}
SCORES = SHARES | {"nn_margin", "nn_mean_margin_k3"}


@pytest.fixture
def evaluation(tmp_path: Path) -> Evaluation:
    settings = EvaluateSettings(
        input=["/tests"],
        output=str(tmp_path / "out"),
        bank=str(make_bank(tmp_path / "bank", num_rows=8)),
        probe=str(make_probe(tmp_path / "probe")),
        ks=[1, 3],
    )
    return Evaluation(settings, Detectors.read(settings.deciding, HERE), PLAN, None, HERE)


def rows_with_embeddings(num: int) -> Any:
    rows = table(*(scored(HOSTILE, n % 2, [n % 2, 0, 1]) for n in range(num)))
    vectors = np.random.default_rng(0).normal(size=(num, TINY.dim)).astype(np.float32)
    kept = np.arange(num) != 1
    return rows.append_column("embedding", embedding_column(vectors, kept))


def spectra() -> Spectra:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    return Spectra(32, {(HOSTILE, n): SpectrumSums.of(pixels[n:]) for n in (0, 1)}, 1, 2)


def test_all_are_written_and_named(evaluation: Evaluation) -> None:
    publish(evaluation, [rows_with_embeddings(12)], {}, spectra())
    root = Path(evaluation.settings.output)
    found = json.loads((root / "evaluation.json").read_text())
    names = {"precision-recall", "roc", "t-sne", "spectra-of-mean", "mean-of-spectra"}
    names |= {f"scores-{name}" for name in SCORES}
    names |= {f"reliability-{name}" for name in SHARES}
    files = {file["name"]: file for file in found["files"] if file["name"].startswith("figures/")}
    assert files.keys() == {f"figures/{name}.{kind}" for name in names for kind in ("svg", "png")}
    for name, file in files.items():
        data = (root / name).read_bytes()
        assert file["sha256"] == hashlib.sha256(data).hexdigest()
        if name.endswith(".svg"):
            assert_harmless(data)
    assert found["figures"] == {
        "detectors": ["probe_score", "nn_margin", "nn_vote_k3", "nn_mean_margin_k3"],
        "sets": [HOSTILE],
        "t-sne": {
            **{"seed": 0, "perplexity": 18 / 3, "components": TINY.dim, "steps": 1000},
            "images": {"seen_real": 4, "seen_fake": 4, "unseen_real": 6, "unseen_fake": 5},
        },
        "spectra": {
            **{"size": 32, "median_side": 3, "images": {HOSTILE: {"real": 3, "fake": 2}}},
            **{"too_small": 2, "failed": 1},
        },
        "left_out": {},
    }


def test_what_cannot_be_drawn_is_named(
    evaluation: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ufd_ray.pipeline.evaluating.figures.score_figures", lambda *_: {})
    publish(evaluation, [rows_with_embeddings(4)], {}, Spectra(160, {}, 0, 4))
    found = json.loads(Path(evaluation.settings.output, "evaluation.json").read_text())
    assert found["figures"]["left_out"] == {
        "t-sne": "3 images have an embedding, of 10 at least",
        "spectra": "no image of 160 pixels or more could be read",
    }
    assert not any(file["name"].startswith("figures/") for file in found["files"])


def test_of_votes_and_means_that_of_most_neighbours_is_drawn() -> None:
    kinds = ("nn_vote_k", "nn_mean_margin_k")
    columns = [ScoreColumn(f"{kind}{k}", 0.5) for kind in kinds for k in (1, 3, 100)]
    assert [one.name for one in drawn(columns)] == ["nn_vote_k100", "nn_mean_margin_k100"]
    assert drawn([]) == []


def test_a_banks_sample_is_of_both_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = "ufd_ray.pipeline.evaluating.embedding_figure"
    monkeypatch.setattr(f"{module}.MOST_OF_A_CLASS", 3)
    vectors = np.repeat(np.arange(1, 21, dtype=np.float32)[:, None], TINY.dim, axis=1)
    bank = read_bank_info(str(make_bank(tmp_path / "bank", vectors=vectors)), HERE)
    draws = [seen_embeddings(bank, seed, HERE) for seed in (0, 0, 1)]
    for embeddings, labels in draws:
        assert labels.tolist() == [0, 0, 0, 1, 1, 1]
        assert ((embeddings[:, 0].astype(int) - 1) % 2 == labels).all()
    assert np.array_equal(draws[0][0], draws[1][0])
    assert not np.array_equal(draws[0][0], draws[2][0])


def test_without_embeddings_nothing_is_kept(evaluation: Evaluation) -> None:
    settings = evaluation.settings.model_copy(update={"figures": False})
    plain = Evaluation(settings, evaluation.detectors, PLAN, None, HERE)
    publish(plain, [table(scored("a", 0, [0, 1, 1]), scored("a", 1, [1, 0, 1]))], {})
    found = json.loads(Path(settings.output, "evaluation.json").read_text())
    assert found["figures"] is None
    assert not Path(settings.output, "figures").exists()
