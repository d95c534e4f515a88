"""The stage that scores forms, without Ray: which form's scores end up where."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from tests.unit.pipeline.test_detecting import DIM, rows
from ufd_ray.detectors import Probe
from ufd_ray.images import Form
from ufd_ray.pipeline import detecting
from ufd_ray.pipeline.evaluating.scores import FORM_SCORES
from ufd_ray.pipeline.sweeping.forms import (
    DetectForms,
    SweptForm,
    scores_of_forms,
    swept_forms,
)
from ufd_ray.settings import EvaluateSettings
from ufd_ray.storage import embedding_column


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> DetectForms:
    monkeypatch.setattr(detecting, "this_node", lambda: (torch.get_num_threads(), 0.0))
    detector = {
        "probe": Probe(np.full(DIM, 2, np.float32), np.float32(0)),
        "calibration": None,
        "decider": "probe",
        "threshold": 0.5,
        "unsure_above": None,
        "k": 1,
    }
    return DetectForms(search=None, detector=detector, keep_embeddings=True, ks=[1])


def with_forms(table: Any, values: list[list[float]]) -> Any:
    """One number for each form of an image, which all numbers of its embedding are."""
    flat = np.repeat(np.array([v for of_row in values for v in of_row], np.float32), DIM)
    ends = pa.array(np.cumsum([0, *map(len, values)]), pa.int32())
    column = pa.ListArray.from_arrays(ends, embedding_column(flat.reshape(-1, DIM)))
    return table.append_column("view_embeddings", column)


def test_each_forms_scores_are_its_own(stage: DetectForms) -> None:
    table = rows(np.ones((3, DIM), np.float32), [False, True, False])
    out = stage(with_forms(table, [[0.0, 0.1], [], [0.2, -0.1]]))
    assert out["status"].to_pylist() == ["scored", "error", "scored"]
    assert "view_embeddings" not in out.column_names
    good = out.filter(pa.array([True, False, True]))
    first, second = scores_of_forms(good[FORM_SCORES], 2, ["probe_score"])
    assert first["probe_score"] == pytest.approx([0.5, 1 / (1 + np.exp(-1.6))])
    assert second["probe_score"] == pytest.approx([1 / (1 + np.exp(-0.8)), 1 / (1 + np.exp(0.8))])


def test_an_image_with_a_form_that_nothing_can_be_said_of_is_an_error(stage: DetectForms) -> None:
    table = rows(np.ones((2, DIM), np.float32), [False, False])
    out = stage(with_forms(table, [[1.0, 3e38], [1.0, 1.0]]))
    assert out["status"].to_pylist() == ["error", "scored"]
    assert out["error_code"].to_pylist() == ["not_finite", None]
    assert out["embedding"].is_valid().to_pylist() == [False, True]


def test_a_batch_without_images_passes(stage: DetectForms) -> None:
    table = rows(np.ones((1, DIM), np.float32), [True])
    out = stage(with_forms(table, [[]]))
    assert out[FORM_SCORES].to_pylist() == [[]]


def test_settings_ask_for_forms_in_order() -> None:
    places = {"input": ["/i"], "output": "/o", "bank": "/b"}
    settings = EvaluateSettings.model_validate(
        {
            **places,
            **{"sweep_jpeg": True, "sweep_qualities": [50, 90], "sweep_blur": True},
            **{"sweep_sigmas": [2, 1], "sweep_preprocess": True},
        }
    )
    assert swept_forms(settings, "crop") == [
        SweptForm("jpeg", "none", None),
        SweptForm("jpeg", "90", Form(quality=90)),
        SweptForm("jpeg", "50", Form(quality=50)),
        SweptForm("blur", "0", None),
        SweptForm("blur", "1", Form(sigma=1)),
        SweptForm("blur", "2", Form(sigma=2)),
        SweptForm("preprocess", "crop (the bank's)", None),
        SweptForm("preprocess", "resize", Form(mode="resize")),
    ]
    assert swept_forms(settings, "resize")[-1].form == Form(mode="crop")
    assert swept_forms(EvaluateSettings.model_validate(places), "crop") == []
