from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from ufd_ray.demo.figures import NUM_LABELLED, Detector, figures_by_generator
from ufd_ray.demo.pictures import GENERATORS
from ufd_ray.demo.table import render
from ufd_ray.detectors.probe import sigmoid

PROBE = Detector("probe_logit", "probe_score", 0.5, 0.6)
NEIGHBORS = Detector("nn_margin", "nn_margin", 0.0, None)


def crawl(shifts: list[float], num: int = 100) -> pa.Table:
    """Photographs around -2, fakes of each generator so far above them."""
    rng = np.random.default_rng(0)
    sources = np.repeat(["photograph", *GENERATORS], num)
    logits = rng.normal(size=6 * num) - 2 + np.repeat([0.0, *shifts], num)
    neighbor = {"similarity": 0.9, "label": 1, "source": "somewhere"}
    scored = pa.table(
        {
            "uri": [f"/some/where/deep/{source}.png" for source in sources],
            "status": ["scored"] * len(logits),
            "error_code": pa.nulls(len(logits), pa.string()),
            "label": (sources != "photograph").astype(np.int8),
            "source": sources.tolist(),
            "probe_logit": logits.astype(np.float32),
            "probe_score": sigmoid(logits).astype(np.float32),
            "probe_probability": np.full(len(logits), 0.75),
            "nn_vote": np.full(len(logits), 0.5),
            "nn_margin": (logits / 100).astype(np.float32),
            "neighbors": [[neighbor]] * len(logits),
            "verdict": np.where(logits > 0, "fake", "real").tolist(),
        }
    )
    broken = {"uri": ["/empty.png"], "status": ["error"], "error_code": ["empty"]}
    return pa.concat_tables([scored, pa.table(broken)], promote_options="default")


def test_a_threshold_does_not_carry_over_and_a_few_labelled_images_do() -> None:
    scores = crawl([4.0, 2.0, 2.0, 2.0, 8.0]).slice(0, 600)
    found = figures_by_generator(scores, [PROBE, NEIGHBORS], seed=0)
    assert list(found) == list(GENERATORS)
    seen, unseen, *_, easy = found.values()
    for mine, theirs in zip(seen, unseen, strict=True):
        assert mine.average_precision > 0.98
        assert mine.at_default > 0.95
        assert theirs.average_precision > 0.85
        assert theirs.at_default == pytest.approx(0.74, abs=0.07)  # half of the fakes are missed
        assert theirs.labelled is not None
        assert 0.77 < theirs.labelled < 0.84  # Φ(1) is as good as it gets
        assert theirs.labelled > theirs.at_default + 0.05
    # The margins are a hundredth of the logits: the same words, but for the tuned threshold.
    probe, neighbors = unseen
    assert probe.at_tuned is not None
    assert probe.at_tuned < probe.at_default
    assert neighbors.labelled == pytest.approx(probe.labelled, abs=0.01)
    assert neighbors.average_precision == pytest.approx(probe.average_precision, abs=1e-6)
    assert neighbors.at_tuned is None
    assert easy[0].average_precision == 1


def test_the_labelled_images_are_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    judged = []

    def watch(labels: np.ndarray, probabilities: np.ndarray, threshold: float) -> object:
        judged.append((len(labels), int(labels.sum()), threshold))
        return whole(labels, probabilities, threshold)

    from ufd_ray.demo import figures

    whole = figures.accuracy_at
    monkeypatch.setattr(figures, "accuracy_at", watch)
    figures_by_generator(crawl([2.0] * 5, num=30).slice(0, 180), [PROBE], seed=1)
    rest = 30 - NUM_LABELLED
    assert set(judged) == {(60, 30, 0.5), (60, 30, 0.6), (2 * rest, rest, 0.5)}


def test_labelled_images_that_rank_the_wrong_way_round_give_no_figure() -> None:
    found = figures_by_generator(crawl([-30.0] + [4.0] * 4).slice(0, 600), [PROBE], seed=0)
    figures = next(iter(found.values()))
    assert figures[0].labelled is None
    assert figures[0].average_precision < 0.5


def test_the_text_fits_a_terminal_and_says_how_many() -> None:
    text = render(crawl([4.0, 2.0, 2.0, 2.0, 8.0]), [PROBE, NEIGHBORS], num_val=50, seed=0)
    lines = text.splitlines()
    assert max(len(line) for line in lines) <= 100
    assert "  scored                      600" in lines
    assert "  error empty                   1" in lines
    assert sum(line.startswith(tuple(f"  {name}" for name in GENERATORS)) for line in lines) == 5
    trained_on = next(line for line in lines if "(trained on)" in line)
    assert len(trained_on.split()[-8:]) == 8
    assert trained_on.split()[-2] == "–"
    assert "Each generator: 100 fakes, against the same 100 photographs." in text
    assert "tuned on 50 held-out images" in text
    assert "…/where/deep/" in text
