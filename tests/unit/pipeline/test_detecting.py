"""The stage that scores, without Ray: each row kept, whatever its embedding is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from ufd_ray.detectors import Probe
from ufd_ray.pipeline import detecting
from ufd_ray.pipeline.detecting import DetectGenerated
from ufd_ray.schema import SCORES
from ufd_ray.storage import embedding_column

DIM = 4


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> DetectGenerated:
    monkeypatch.setattr(detecting, "this_node", lambda: (torch.get_num_threads(), 0.0))
    detector = {
        "probe": Probe(np.full(DIM, 2, np.float32), np.float32(0)),
        "calibration": None,
        "decider": "probe",
        "threshold": 0.5,
        "unsure_above": None,
        "k": 3,
    }
    return DetectGenerated(search=None, detector=detector, keep_embeddings=True)


def rows(embeddings: Any, failed: list[bool]) -> Any:
    num = len(failed)
    return pa.table(
        {
            "position": range(num),
            "image_id": [f"{n:032x}" for n in range(num)],
            "uri": [f"/{n}.png" for n in range(num)],
            **{
                name: pa.nulls(num, next(f.type for f in SCORES if f.name == name))
                for name in ("member", "etag", "size_bytes", "last_modified", "content_hash")
            },
            "error_code": ["corrupt" if bad else None for bad in failed],
            "error_message": ["broken" if bad else None for bad in failed],
            **{
                name: pa.nulls(num, next(f.type for f in SCORES if f.name == name))
                for name in ("format", "width", "height")
            },
            "label": [0] * num,
            "embedding": embedding_column(embeddings, ~np.array(failed)),
        }
    )


def test_an_embedding_too_large_for_the_probe_is_one_error_row(stage: DetectGenerated) -> None:
    embeddings = np.ones((5, DIM), np.float32)
    embeddings[1], embeddings[4] = 3e38, -1
    found = stage(rows(embeddings, [False, False, True, False, False]))
    assert found["status"].to_pylist() == ["scored", "error", "error", "scored", "scored"]
    assert found["error_code"].to_pylist() == [None, "not_finite", "corrupt", None, None]
    assert found["probe_logit"].to_pylist() == [8, None, None, 8, -8]
    assert found["verdict"].to_pylist() == ["fake", None, None, "fake", "real"]
    kept = found["embedding"].to_pylist()
    assert [row is None for row in kept] == [False, True, True, False, False]
    assert kept[4] == [-1] * DIM
    names = ["position", *(field.name for field in SCORES), "label", "embedding"]
    assert found.column_names == names


def test_embeddings_stay_where_they_are_asked_for(stage: DetectGenerated) -> None:
    stage._keep_embeddings = np.array([0, 2, 3, 99])
    embeddings = np.arange(5, dtype=np.float32)[:, None] + np.ones((1, DIM), np.float32)
    found = stage(rows(embeddings, [False, False, True, False, False]))
    kept = found["embedding"].to_pylist()
    assert kept == [[1] * DIM, None, None, [4] * DIM, None]
    assert found["embedding"].type == pa.list_(pa.float32(), DIM)
    assert found["status"].to_pylist().count("scored") == 4


def test_no_row_at_all_is_sound(stage: DetectGenerated) -> None:
    found = stage(rows(np.zeros((2, DIM), np.float32), [True, True]))
    assert found["status"].to_pylist() == ["error", "error"]
    assert found["probe_score"].null_count == 2
