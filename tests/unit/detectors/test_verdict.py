from __future__ import annotations

import numpy as np
import pytest

from ufd_ray.detectors import verdicts


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_fake_is_strictly_over_the_threshold(dtype: type[np.floating]) -> None:
    score = np.array([0, 0.5, np.nextafter(dtype(0.5), dtype(1)), 1], dtype)
    assert verdicts(score).tolist() == ["real", "real", "fake", "fake"]
    assert verdicts(np.array([-0.1, 0, 0.1], dtype), 0).tolist() == ["real", "real", "fake"]
    assert verdicts(np.empty(0, dtype)).shape == (0,)


def test_the_threshold_is_not_rounded_to_the_scores_precision() -> None:
    score = np.array([0.3], np.float32)
    assert verdicts(score, float(score[0])).tolist() == ["real"]
    assert verdicts(score, float(np.nextafter(np.float64(score[0]), 0))).tolist() == ["fake"]


def test_unsure_lies_between_two_thresholds() -> None:
    score = np.array([0.1, 0.3, 0.31, 0.6, 0.61])
    assert verdicts(score, 0.6, 0.3).tolist() == ["real", "real", "unsure", "unsure", "fake"]
    assert verdicts(np.array([-1.0, 0, 1]), 0.5, -0.5).tolist() == ["real", "unsure", "fake"]
    for unsure_above in (0.6, 0.7, np.nan):
        with pytest.raises(ValueError, match=r"must lie below the threshold 0\.6"):
            verdicts(score, 0.6, unsure_above)
