"""Rows of a bank that deserve a look, planted and found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ufd_ray.detectors import AuditSummary, NeighborSearch, look_without, tell_row
from ufd_ray.detectors.audit import Reason, find_reasons, suspects_by_chance
from ufd_ray.errors import StorageError
from ufd_ray.schema import AUDIT
from ufd_ray.storage import embedding_column, embedding_matrix

DIM, K = 6, 5


def bank(num: int, seed: int = 0) -> Any:
    """Real rows around one axis, fake ones around another."""
    rng = np.random.default_rng(seed)
    labels = np.arange(num) % 2
    vectors = np.eye(DIM)[labels] + 0.1 * rng.normal(size=(num, DIM))
    return rows_of(vectors, labels)


def rows_of(vectors: Any, labels: Any) -> Any:
    num = len(labels)
    return pa.table(
        {
            "image_id": [f"{n:032x}" for n in range(num)],
            "uri": [f"/{n}" for n in range(num)],
            "member": pa.array([None] * num, pa.string()),
            "label": pa.array(labels, pa.int8()),
            "source": [f"s{n % 3}" for n in range(num)],
            "embedding": embedding_column(np.asarray(vectors, np.float32)),
        }
    )


def look(rows: Any, searched: Any, k: int) -> Any:
    search = NeighborSearch(
        embedding_matrix(searched["embedding"]),
        np.asarray(searched["label"]),
        searched["image_id"].to_pylist(),
    )
    return look_without(rows, search, searched.drop_columns(["embedding", "member"]), k)


def test_each_row_is_searched_in_all_the_others_as_by_hand() -> None:
    rows = bank(40)
    found = look(rows, rows, K)
    assert found.schema.equals(pa.schema(AUDIT))
    vectors = embedding_matrix(rows["embedding"]).astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    similarity, labels = vectors @ vectors.T, np.asarray(rows["label"])
    np.fill_diagonal(similarity, -np.inf)
    order = np.argsort(-similarity, axis=1)
    distances = [1 - np.where(labels == label, similarity, -np.inf).max(axis=1) for label in (0, 1)]
    assert found["nearest_image_id"].to_pylist() == [f"{n:032x}" for n in order[:, 0]]
    assert found["nearest_uri"].to_pylist() == [f"/{n}" for n in order[:, 0]]
    assert found["nearest_source"].to_pylist() == [f"s{n % 3}" for n in order[:, 0]]
    assert found["nearest_label"].to_pylist() == labels[order[:, 0]].tolist()
    expected = {
        "nearest_similarity": similarity.max(axis=1),
        "nn_real_distance": distances[0],
        "nn_fake_distance": distances[1],
        "nn_margin": distances[0] - distances[1],
        "nn_vote": labels[order[:, :K]].mean(axis=1),
    }
    for name, values in expected.items():
        assert np.asarray(found[name]) == pytest.approx(values, abs=1e-6), name


def planted() -> Any:
    """40 sound rows of which 5 and 8 have the other label, and three copies of sound ones."""
    sound = bank(40)
    vectors, labels = embedding_matrix(sound["embedding"]), np.asarray(sound["label"]).copy()
    labels[[5, 8]] = 1 - labels[[5, 8]]
    copied, said = [10, 12, 13], [0, 1, 1]
    return rows_of(np.vstack([vectors, vectors[copied] * 2]), np.concatenate([labels, said]))


def test_what_was_planted_is_found_by_name() -> None:
    found = look(planted(), planted(), K).to_pylist()
    reasons = {row["uri"]: row["reason"] for row in found if row["reason"]}
    assert reasons == {
        "/5": "suspect_label",
        "/8": "suspect_label",
        "/10": "duplicate",
        "/40": "duplicate",
        "/12": "duplicate_of_other_class",
        "/41": "duplicate_of_other_class",
        "/13": "duplicate",
        "/42": "duplicate",
    }
    assert found[41]["nearest_uri"] == "/12"


def test_the_worst_reason_is_given() -> None:
    labels, near = np.array([0, 0, 0, 1, 1]), np.array([[1, 1], [1, 0], [1, 1], [0, 0], [1, 0]])
    real = np.array([0.0, 0.0, 0.5, np.nan, 0.5])
    fake = np.array([0.0, 0.5, 0.25, 0.5, 0.25])
    found = find_reasons(labels, near, real, fake).tolist()
    suspect = Reason.SUSPECT_LABEL
    assert found == [Reason.DUPLICATE_OF_OTHER_CLASS, Reason.DUPLICATE, suspect, suspect, None]


def test_a_class_of_one_has_no_margin() -> None:
    rows = rows_of(np.eye(DIM)[:3], [0, 1, 1])
    first = look(rows, rows, 2).to_pylist()[0]
    assert (first["nn_real_distance"], first["nn_margin"]) == (None, None)
    assert (first["nn_vote"], first["nearest_uri"]) == (1, "/1")


def test_a_row_of_another_bank_is_refused() -> None:
    rows = bank(12)
    with pytest.raises(StorageError, match=f"image {11:032x} is not among the rows"):
        look(rows, rows.slice(0, 11), 3)


@pytest.mark.parametrize(("num_real", "num_fake", "k"), [(6, 6, 2), (3, 9, 3), (2, 8, 9)])
def test_suspects_by_chance_are_those_of_shuffled_labels(
    num_real: int, num_fake: int, k: int
) -> None:
    rng, num = np.random.default_rng(3), num_real + num_fake
    counts = []
    for _ in range(3000):
        labels = rng.permutation(np.repeat([0, 1], [num_real, num_fake]))
        near = np.array([(row + 1 + np.arange(k)) % num for row in range(num)])
        found = find_reasons(labels, labels[near], np.full(num, 0.5), np.full(num, 0.5))
        counts.append((found == Reason.SUSPECT_LABEL).sum())
    error = np.std(counts) / np.sqrt(len(counts)) + 1e-9
    assert abs(np.mean(counts) - suspects_by_chance(num_real, num_fake, k)) < 5 * error


def test_the_summary_counts() -> None:
    summary, found = AuditSummary(K), look(planted(), planted(), K)
    for batch in found.to_batches(max_chunksize=7):
        summary.add(batch)
    judged, sound, duplicates, suspects = summary.lines()
    # Wrong of 21 real ones is 5, of 22 fake ones 8 and the copy of 12.
    assert "the vote of 5 is right for 95.2 % of real, 90.9 % of fake" in judged
    assert sound.startswith("without the 6 that have a duplicate: ")
    assert "duplicates: 4 of their own class, 2 of the other one" in duplicates
    assert suspects.startswith("suspect labels: 2, whose 5 nearest others are all of the other")


def test_a_row_in_a_line() -> None:
    row = look(planted(), planted(), K).to_pylist()[41]
    assert tell_row(row) == (
        "duplicate_of_other_class: /41 (fake), nearest is /12 (real, similarity 1.000000)"
    )
    row |= {"member": "a/b.png"}
    assert "/41 a/b.png (fake)" in tell_row(row)


def test_the_copy_of_the_other_class_is_named_beside_one_of_its_own() -> None:
    rng = np.random.default_rng(5)
    vectors = np.vstack([rng.normal(size=(30, 16)), np.ones((4, 16))]).astype(np.float32)
    rows = rows_of(vectors, np.array([0, 1] * 15 + [0, 0, 1, 1]))
    found = look(rows, rows, K).to_pylist()[30:]
    assert {row["reason"] for row in found} == {"duplicate_of_other_class"}
    assert [row["nearest_label"] for row in found] == [1, 1, 0, 0]


def test_a_name_that_a_stranger_chose_is_one_line() -> None:
    row = look(planted(), planted(), K).to_pylist()[41] | {"uri": "/a\nb\x1b[31mé"}
    assert r": /a\nb\x1b[31mé (fake)," in tell_row(row)
