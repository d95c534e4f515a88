"""Proof that a job ended before it began; and the encoder of tests whose images are small."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest

from tests.ray.smooth_images import load
from ufd_ray.encoders import Encoder


@pytest.fixture
def nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster of two CPUs that nobody may use: starting Ray, a flow or a model fails the test."""
    import ray

    from ufd_ray.pipeline import build_bank, evaluate, fit_probe, run, score, train_baseline
    from ufd_ray.pipeline.cluster import Cluster
    from ufd_ray.pipeline.evaluating import scoring

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise AssertionError("a job with unusable settings went to work")

    for job in (build_bank, evaluate, score, train_baseline):
        monkeypatch.setattr(job, "join_cluster", lambda: Cluster((2,)))
    for job in (build_bank, run, scoring):
        monkeypatch.setattr(job, "make_flow", refuse)
    monkeypatch.setattr(fit_probe, "join_cluster", refuse)
    monkeypatch.setattr(train_baseline, "survey_images", refuse)
    monkeypatch.setattr(Encoder, "load", refuse)
    monkeypatch.setattr(ray, "init", refuse)
    monkeypatch.setattr(ray, "remote", refuse)


@pytest.fixture(scope="session")
def small_encoder() -> Encoder:
    """One of random weights, quick to load and to run."""
    return load(1)
