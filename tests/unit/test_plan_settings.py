"""What `plan` takes, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from ufd_ray.settings import PlanSettings

GIVEN = {"input": ["/photos"], "probe": "/probe"}


@pytest.mark.parametrize(
    "change", [{}, {"bank": "/bank"}, {"probe": None, "encoder": "lite0", "preprocess": "resize"}]
)
def test_detectors_or_an_encoder_are_taken(change: dict[str, Any]) -> None:
    PlanSettings.model_validate(GIVEN | change)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"probe": None}, "neither --bank nor --probe is given, nor --encoder"),
        ({"encoder": "lite0"}, "exclude each other"),
        ({"preprocess": "crop"}, "--preprocess needs --encoder"),
        ({"gpu_images_per_s": 100}, "--gpu-images-per-s needs --gpus-per-machine"),
        ({"sample": 0}, "greater than or equal to 1"),
        ({"machines": 0}, "greater than or equal to 1"),
        ({"price_machine_hour": -1}, "greater than or equal to 0"),
        ({"network_mb_per_s": 0}, "greater than 0"),
    ],
)
def test_what_means_nothing_is_refused(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        PlanSettings.model_validate(GIVEN | change)
