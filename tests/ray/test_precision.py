"""Machines of a cluster are asked what their CPUs are good at."""

from __future__ import annotations

import os

import pytest

from ufd_ray.cpu import fast_bf16
from ufd_ray.encoders import EncoderSpec
from ufd_ray.errors import ClusterError
from ufd_ray.pipeline import precision
from ufd_ray.pipeline.cluster import look_at_cluster
from ufd_ray.pipeline.precision import choose_precision
from ufd_ray.settings import BuildBankSettings

pytestmark = pytest.mark.usefixtures("ray_cluster")

VIT = EncoderSpec("ViT-B-32", "random:0")
SETTINGS = BuildBankSettings(input=["/in"], output="/out", wait_for_gpus_s=60)


def test_the_machines_answer_for_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    here = fast_bf16()  # the only machine of this cluster is this one
    chosen = choose_precision(SETTINGS, VIT, "cpu", look_at_cluster(may_grow=True))
    assert chosen.precision == ("bf16" if here else "fp32")
    assert (here or "no fast bf16") in chosen.reason


def test_it_is_not_this_process_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "fast_bf16", lambda: f"process {os.getpid()}.")
    chosen = choose_precision(SETTINGS, VIT, "cpu", look_at_cluster(may_grow=True))
    assert "the CPUs have process " in chosen.reason
    assert f" {os.getpid()}." not in chosen.reason


def test_machines_that_do_not_answer_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fall_silent() -> str | None:
        raise SystemExit(1)  # Ray takes it for the end of the worker

    monkeypatch.setattr(precision, "fast_bf16", fall_silent)
    with pytest.raises(ClusterError, match="say --precision fp32, or --precision bf16"):
        choose_precision(SETTINGS, VIT, "cpu", look_at_cluster(may_grow=True))
