"""A batch of embeddings through both detectors, and what becomes of it in a table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ufd_ray.detectors import (
    Calibration,
    Detector,
    NeighborSearch,
    Probe,
    Searchable,
    detection_columns,
    margin,
    mean_margin,
    searchable,
    verdicts,
    vote,
)
from ufd_ray.errors import SettingsError
from ufd_ray.schema import DETECTION
from ufd_ray.storage import embedding_column

DIM, K = 6, 3
RNG = np.random.default_rng(5)
PROBE = Probe(RNG.normal(size=DIM).astype(np.float32), np.float32(0.25))
PLATT = Calibration("platt", 1.5, -0.5)
BANK = Searchable(
    RNG.normal(size=(20, DIM)).astype(np.float32),
    (np.arange(20) % 2).astype(np.int8),
    np.array([f"{n:032x}" for n in range(20)]),
)
SEARCH = NeighborSearch(BANK.embeddings, BANK.labels, BANK.image_ids)
QUERIES = RNG.normal(size=(9, DIM)).astype(np.float32)
EVERY: dict[str, Any] = {
    "probe": PROBE,
    "calibration": PLATT,
    "search": SEARCH,
    "labels": BANK.labels,
    "decider": "probe",
    "threshold": 0.5,
    "unsure_above": None,
    "k": K,
}


def detector(**changes: Any) -> Detector:
    return Detector(**(EVERY | changes))


def test_every_column_is_its_own_functions() -> None:
    found = detector().detect(QUERIES)
    assert found.usable.all()
    near = SEARCH.search(QUERIES, K)
    logits = PROBE.logits(QUERIES)
    expected = {
        "probe_logit": logits,
        "probe_score": PROBE.scores(QUERIES),
        "probe_probability": PLATT.probabilities(logits),
        "nn_vote": vote(near, BANK.labels),
        "nn_margin": margin(near),
        "nn_real_distance": 1 - near.real_similarity,
        "nn_fake_distance": 1 - near.fake_similarity,
        "verdict": verdicts(PROBE.scores(QUERIES)),
    }
    assert found.columns.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found.columns[name], values, err_msg=name)
    assert found.neighbor_rows is not None
    np.testing.assert_array_equal(found.neighbor_rows, near.index)
    assert found.counts is not None
    assert found.counts.num_queries == len(QUERIES)


def test_margins_of_means_are_columns_of_their_own() -> None:
    found = detector(mean_ks=[1, 4, 15]).detect(QUERIES)
    near = SEARCH.search(QUERIES, K, per_class=15)  # of ten of each class
    plain = detector().detect(QUERIES).columns
    assert found.columns.keys() - plain.keys() == {f"nn_mean_margin_k{k}" for k in (1, 4, 15)}
    for name, values in plain.items():
        np.testing.assert_array_equal(found.columns[name], values, err_msg=name)
    for k in (1, 4, 15):
        values = found.columns[f"nn_mean_margin_k{k}"]
        np.testing.assert_array_equal(values, mean_margin(near, k))
    np.testing.assert_array_equal(found.columns["nn_mean_margin_k1"], plain["nn_margin"])


@pytest.mark.parametrize(
    ("decider", "column", "threshold", "unsure_above"),
    [
        ("probe", "probe_score", 0.6, 0.3),
        ("neighbors", "nn_vote", 0.5, 0.1),
        ("margin", "nn_margin", 0.1, -0.1),
    ],
)
def test_who_decides(decider: str, column: str, threshold: float, unsure_above: float) -> None:
    made = detector(decider=decider, threshold=threshold, unsure_above=unsure_above)
    queries = np.random.default_rng(6).normal(size=(60, DIM)).astype(np.float32)
    found = made.detect(queries).columns
    score = found[column].astype(np.float64)
    words = np.where(score > threshold, "fake", np.where(score > unsure_above, "unsure", "real"))
    assert found["verdict"].tolist() == words.tolist()
    assert set(words) == {"fake", "unsure", "real"}


def test_what_is_not_there_fills_no_column() -> None:
    probe_only = detector(search=None, labels=None, calibration=None).detect(QUERIES)
    assert probe_only.columns.keys() == {"probe_logit", "probe_score", "verdict"}
    assert probe_only.neighbor_rows is None
    bank_only = detector(probe=None, calibration=None, decider="neighbors").detect(QUERIES)
    assert not {name for name in bank_only.columns if name.startswith("probe")}


def test_the_same_bits_in_any_batch() -> None:
    made = detector()
    whole = made.detect(QUERIES).columns
    for row in range(len(QUERIES)):
        alone = made.detect(QUERIES[row : row + 1]).columns
        assert {n: v.tobytes() for n, v in alone.items()} == {
            n: v[row : row + 1].astype(alone[n].dtype).tobytes() for n, v in whole.items()
        }


def test_an_embedding_without_a_logit_is_left_out_and_changes_no_other() -> None:
    queries = QUERIES.copy()
    queries[[2, 7]] = np.float32(3e38)
    loud = detector(probe=Probe(np.full(DIM, 2, np.float32), np.float32(0)))
    found, kept = loud.detect(queries), np.delete(np.arange(9), [2, 7])
    assert np.flatnonzero(~found.usable).tolist() == [2, 7]
    alone = loud.detect(QUERIES[kept])
    for name, values in alone.columns.items():
        np.testing.assert_array_equal(found.columns[name], values)
    assert found.neighbor_rows is not None
    assert len(found.neighbor_rows) == 7


def test_an_image_is_outside_where_nothing_of_the_bank_is_near() -> None:
    distances = detector().detect(QUERIES).columns
    real, fake = (distances[f"nn_{name}_distance"] for name in ("real", "fake"))
    nearest = np.minimum(real, fake).astype(np.float32)
    # A distance that an image has is not over itself: the bound is the last that is within.
    for radius in sorted(nearest.tolist()):
        found = detector(radius=radius).detect(QUERIES).columns["out_of_bank"]
        assert found.tolist() == [distance > radius for distance in nearest.tolist()]
    one = NeighborSearch(BANK.embeddings[::2], BANK.labels[::2], BANK.image_ids[::2])
    alone = detector(search=one, labels=BANK.labels[::2], radius=float(real.max())).detect(QUERIES)
    assert not alone.columns["out_of_bank"].any()


def test_no_rows() -> None:
    found = detector().detect(QUERIES[:0])
    assert {len(values) for values in found.columns.values()} == {0}


@pytest.mark.parametrize(("label", "name"), [(0, "fake"), (1, "real")])
def test_a_margin_needs_both_classes(label: int, name: str) -> None:
    labels = np.full(20, label, np.int8)
    one = {"search": NeighborSearch(BANK.embeddings, labels, BANK.image_ids), "labels": labels}
    with pytest.raises(SettingsError, match=f"--decide-by margin: the bank has no {name} images"):
        detector(decider="margin", **one)
    assert detector(**one).detect(QUERIES).columns["nn_vote"].tolist() == [label] * 9


# As a table


def bank_table() -> Any:
    return pa.table(
        {
            "image_id": BANK.image_ids.tolist(),
            "uri": [f"/{n}.png" for n in range(20)],
            "label": pa.array(BANK.labels),
            "source": ["web"] * 19 + [None],
            "embedding": embedding_column(BANK.embeddings),
        }
    )


def of(bank: Any) -> Detector:
    """The detector that searches in such a table."""
    rows = searchable(bank)
    search = NeighborSearch(rows.embeddings, rows.labels, rows.image_ids)
    return detector(search=search, labels=rows.labels)


def test_columns_are_those_of_the_contract_with_nulls_between() -> None:
    bank = bank_table()
    found = of(bank).detect(QUERIES)
    scored = np.zeros(12, bool)
    scored[1:10] = True
    columns = dict(
        zip([f.name for f in DETECTION], detection_columns(found, scored, bank), strict=True)
    )
    for field in DETECTION:
        told, column = columns[field.name]
        assert (told, column.type, len(column)) == (field, field.type, 12)
        filled = field.name != "out_of_bank"
        assert np.asarray(column.is_valid()).tolist() == (scored & filled).tolist()
    logits = columns["probe_logit"][1].to_pylist()
    assert logits[1:10] == found.columns["probe_logit"].tolist()
    assert found.neighbor_rows is not None
    assert found.neighbor_similarity is not None
    evidence = columns["neighbors"][1].to_pylist()[1:10]
    for row, index, similar in zip(
        evidence, found.neighbor_rows, found.neighbor_similarity, strict=True
    ):
        assert [n["uri"] for n in row] == [f"/{i}.png" for i in index]
        assert [n["label"] for n in row] == BANK.labels[index].tolist()
        assert [n["similarity"] for n in row] == similar.astype(np.float32).tolist()


def test_margins_of_means_follow_the_contract() -> None:
    bank = bank_table()
    rows = searchable(bank)
    search = NeighborSearch(rows.embeddings, rows.labels, rows.image_ids)
    found = detector(search=search, labels=rows.labels, mean_ks=[2, 3]).detect(QUERIES)
    scored = np.arange(12) < 9
    names = [field.name for field, _ in detection_columns(found, scored, bank)]
    assert names == [*(f.name for f in DETECTION), "nn_mean_margin_k2", "nn_mean_margin_k3"]
    _, last = detection_columns(found, scored, bank)[-1]
    assert last.to_pylist() == [*found.columns["nn_mean_margin_k3"].tolist(), None, None, None]
    assert last.type == pa.float32()


def test_a_bank_of_one_class_has_no_margin() -> None:
    bank = bank_table().set_column(2, "label", pa.array(np.zeros(20, np.int8)))
    found = of(bank).detect(QUERIES)
    columns = {f.name: c for f, c in detection_columns(found, np.ones(9, bool), bank)}
    assert columns["nn_margin"].null_count == columns["nn_fake_distance"].null_count == 9
    assert columns["nn_real_distance"].null_count == 0
