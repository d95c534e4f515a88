"""What was said at every setting, put in the order of the evaluation's own images."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ufd_ray.evaluation import ScoreColumn
from ufd_ray.images import Form
from ufd_ray.pipeline.sweeping.by_bank import ByBank
from ufd_ray.pipeline.sweeping.forms import SweptForm
from ufd_ray.pipeline.sweeping.settings_of_sweeps import Swept, Unswept, settings_of_sweeps


def numbers(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32)


COLUMNS = [ScoreColumn("probe_score", 0.5, 0.4), ScoreColumn("nn_margin", 0.0, is_share=False)]
OWN = Unswept(
    COLUMNS,
    {"probe_score": numbers(0.1, 0.9), "nn_margin": numbers(-1, 1)},
    [],
    ["first", "second"],
)


def test_nothing_is_swept_where_nobody_asks() -> None:
    assert settings_of_sweeps(OWN, [], None, Swept()) == {}


def test_forms_have_the_evaluations_own_detectors() -> None:
    forms = [
        SweptForm("jpeg", "none", None),
        SweptForm("jpeg", "90", Form(quality=90)),
        SweptForm("blur", "0", None),
        SweptForm("blur", "1", Form(sigma=1)),
    ]
    # A row an image: two forms of two detectors.
    scores = pa.chunked_array([[[0.1, 0.2, 0.3, 0.4]], [[0.5, 0.6, 0.7, 0.8]]])
    found = settings_of_sweeps(OWN, forms, scores, Swept())
    assert {name: [one.name for one in some] for name, some in found.items()} == {
        "jpeg": ["none", "90"],
        "blur": ["0", "1"],
    }
    assert found["jpeg"][0].rows is OWN.rows
    assert found["blur"][1].columns is COLUMNS
    assert found["jpeg"][1].scores["nn_margin"].tolist() == numbers(0.2, 0.6).tolist()
    assert found["blur"][1].scores["probe_score"].tolist() == numbers(0.3, 0.7).tolist()


def test_other_banks_scores_are_found_by_image() -> None:
    # Another encoder failed on the first image, and not on one that the evaluation's own did.
    by_bank = ByBank(["second", "third"], {"probe_score": numbers(0.7, 0.2)})
    swept = Swept({}, {"b": by_bank}, {"own": "mine", "b": "theirs"})
    own, other = settings_of_sweeps(OWN, [], None, swept)["bank"]
    assert (own.name, own.note, other.name, other.note) == ("own", "mine", "b", "theirs")
    assert np.isnan(other.scores["probe_score"][0])
    assert other.scores["probe_score"][1] == np.float32(0.7)
    # A probe that was fitted just now has no threshold but its own.
    assert other.columns[0] == ScoreColumn("probe_score", 0.5)


def test_sizes_have_the_votes_and_means_that_they_can() -> None:
    names = ["probe_score", "nn_margin", "nn_vote_k1", "nn_mean_margin_k1"]
    scores = {name: numbers(0, 1) for name in names}
    (two,) = settings_of_sweeps(OWN, [], None, Swept({2: scores}))["train_size"]
    assert [column.name for column in two.columns] == names
    assert [column.default for column in two.columns] == [0.5, 0.0, 0.5, 0.0]
    assert [column.is_share for column in two.columns] == [True, False, True, False]
