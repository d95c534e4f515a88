from __future__ import annotations

from typing import Any

import pytest

from ufd_ray.errors import SettingsError
from ufd_ray.pipeline.selecting import check_reads_alike
from ufd_ray.settings import ScoreSettings
from ufd_ray.storage import PublishedRun


def retry(**flags: Any) -> ScoreSettings:
    return ScoreSettings(retry_failed="a", output="/out", bank="/bank", **flags)


def run(**settings: Any) -> PublishedRun:
    return PublishedRun("a", "/out/runs/a", "2026-11-24", "d", {"settings": settings})


@pytest.mark.parametrize(
    ("then", "now", "needed"),
    [
        ({"allow_http": True}, {}, "with --allow-http;"),
        ({"image_column": "jpg"}, {}, "with --image-column jpg;"),
        ({"image_column": "jpg"}, {"image_column": "png"}, "with --image-column jpg;"),
        ({"image_column": None}, {"image_column": "png"}, "with no --image-column;"),
    ],
)
def test_flags_without_which_nothing_could_be_read_are_asked_for(
    then: dict[str, Any], now: dict[str, Any], needed: str
) -> None:
    with pytest.raises(SettingsError, match=f"--retry-failed a: .* {needed}"):
        check_reads_alike(retry(**now), run(**then))


@pytest.mark.parametrize("flags", [{}, {"allow_http": True, "image_column": "jpg"}])
def test_the_same_flags_will_do(flags: dict[str, Any]) -> None:
    check_reads_alike(retry(**flags), run(**flags))
    check_reads_alike(retry(allow_http=True), run())
