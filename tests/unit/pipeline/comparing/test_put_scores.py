from __future__ import annotations

import numpy as np
import pyarrow as pa

from ufd_ray.pipeline.comparing.scoring import put_scores


def test_an_image_without_a_score_is_an_error_of_all_detectors() -> None:
    rows = pa.table(
        {
            "position": [0, 1, 2, 3],
            "status": ["scored", "error", "scored", "scored"],
            "error_code": pa.array([None, "empty", None, None], pa.string()),
            "error_message": pa.array([None, "no bytes", None, None], pa.string()),
            "probe_score": pa.array([0.1, None, 0.2, 0.3], pa.float32()),
        }
    )
    found = pa.table(
        {
            "score": pa.array([0.9, None, None, 0.7], pa.float32()),
            "error_code": pa.array([None, "corrupt", "crashed", None], pa.string()),
            "error_message": pa.array([None, "a", "b", None], pa.string()),
        }
    )
    beside = put_scores(rows, "baseline_x", found)
    assert beside["status"].to_pylist() == ["scored", "error", "error", "scored"]
    assert beside["error_code"].to_pylist() == [None, "empty", "crashed", None]
    assert beside["error_message"].to_pylist() == [None, "no bytes", "b", None]
    assert beside.column_names == [*rows.column_names, "baseline_x"]
    assert beside["probe_score"].equals(rows["probe_score"])
    sound = put_scores(rows.slice(3), "baseline_x", found.slice(3))
    assert sound.drop_columns(["baseline_x"]).equals(rows.slice(3))
    assert np.allclose(sound["baseline_x"].to_pylist(), [0.7])
