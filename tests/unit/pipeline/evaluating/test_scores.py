"""Rows of the flow → one table of scores, and the account of every image."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tests.unit.pipeline.evaluating.rows import failed, scored, table
from ufd_ray.evaluation import ScoreColumn, plan_sets
from ufd_ray.pipeline.evaluating.account import count_images, describe_sets
from ufd_ray.pipeline.evaluating.scores import FORM_SCORES, Collected, collect
from ufd_ray.schema import OWN_NAMES, REJECTS
from ufd_ray.storage import embedding_column

COLUMNS = [
    ScoreColumn("probe_score", 0.5),
    ScoreColumn("nn_margin", 0.0, is_share=False),
    *(ScoreColumn(f"nn_vote_k{k}", 0.5) for k in (1, 3)),
    ScoreColumn("nn_mean_margin_k3", 0.0, is_share=False),
]


def collected() -> Collected:
    first = table(scored("a", 0, [0, 1, 1]), failed("a", "corrupt"), scored("a", 1, [1, 0, 0], 1.0))
    return collect(
        [first, table(failed("b", "empty")), table(scored("b", 1, [1, 1, 0]))], COLUMNS, 3
    )


def test_no_column_of_a_manifest_bears_the_name_of_ours() -> None:
    assert FORM_SCORES in OWN_NAMES


def test_one_search_serves_every_vote() -> None:
    scores = collected().scores.to_pydict()
    assert scores["set"] == ["a", "a", "b"]
    assert scores["label"] == [0, 1, 1]
    assert scores["probe_score"] == [0.25, 0.75, 0.75]
    assert scores["nn_vote_k1"] == [0, 1, 1]
    thirds = np.array([2, 1, 2], np.float32) / np.float32(3)
    assert scores["nn_vote_k3"] == thirds.tolist()
    assert scores["nn_mean_margin_k3"] == [np.float32(0.1)] * 3
    assert list(scores)[:5] == ["image_id", "uri", "member", "set", "label"]


def test_every_image_is_accounted_for() -> None:
    found = collected()
    assert found.rejected.schema.names == [field.name for field in REJECTS]
    assert found.rejected["error_code"].to_pylist() == ["corrupt", "empty"]
    assert found.in_bank.tolist() == [False, True, False]
    plan = plan_sets({("a", 0): 1, ("a", 1): 1, ("b", 1): 1})
    assert count_images(plan, found) == {
        "images": 5,
        "used": 2,
        "left_out": 1,
        "failed": 2,
        "by_error_code": {"corrupt": 1, "empty": 1},
        "in_bank": 1,
    }
    assert describe_sets(plan, found) == {
        "a": {"n_real": 1, "n_fake": 1, "reals_of": "a", "failed": 1, "in_bank": 1}
    }


def test_without_a_bank_nothing_is_asked_of_neighbors() -> None:
    found = collect([table(scored("a", 0, []), scored("a", 1, []))], COLUMNS[:1], 0)
    assert found.scores.column_names[5:] == ["probe_score"]
    assert not found.in_bank.any()


def test_of_all_embeddings_only_those_that_are_drawn_are_kept() -> None:
    vectors = np.arange(9, dtype=np.float32).reshape(3, 3)
    rows = table(failed("a", "empty"), scored("a", 0, []), scored("a", 1, []))
    rows = rows.append_column("position", pa.array([0, 1, 2]))
    rows = rows.append_column("embedding", embedding_column(vectors, np.array([False, True, True])))
    every = collect([rows], COLUMNS[:1], 0)
    assert every.kept["label"].to_pylist() == [0, 1]
    drawn = collect([rows], COLUMNS[:1], 0, np.array([0, 2]))
    assert drawn.kept["embedding"].to_pylist() == [[6, 7, 8]]


def test_what_was_said_of_forms_is_kept_of_what_did_not_fail() -> None:
    rows = table(failed("a", "empty"), scored("a", 0, []))
    rows = rows.append_column(FORM_SCORES, pa.array([[], [0.1, 0.2]], pa.list_(pa.float32())))
    found = collect([rows, rows], COLUMNS[:1], 0)
    assert len(found.forms) == 2
    assert np.allclose(found.forms.to_pylist(), [[0.1, 0.2]] * 2)
    assert collect([table(scored("a", 0, []))], COLUMNS[:1], 0).forms is None
