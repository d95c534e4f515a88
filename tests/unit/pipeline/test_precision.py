"""Which precision, where nobody has to be asked."""

from __future__ import annotations

from typing import Any

import pytest

from ufd_ray.encoders import EncoderSpec
from ufd_ray.errors import SettingsError
from ufd_ray.pipeline import precision
from ufd_ray.pipeline.cluster import Cluster
from ufd_ray.pipeline.precision import choose_precision
from ufd_ray.settings import BuildBankSettings

VIT = EncoderSpec("ViT-B-32", "random:0")


def asked_for(name: str) -> BuildBankSettings:
    return BuildBankSettings.model_validate({"input": "/in", "output": "/out", "precision": name})


@pytest.mark.parametrize(("here", "expected"), [("AMX", "bf16"), (None, "fp32")])
def test_alone_this_machine_decides(
    here: str | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "fast_bf16", lambda: here)
    assert choose_precision(asked_for("auto"), VIT, "cpu", Cluster((2,))).precision == expected


@pytest.mark.parametrize(
    ("requested", "device", "expected"),
    [("fp32", "cpu", "fp32"), ("bf16", "cpu", "bf16"), ("auto", "cuda", "fp16")],
)
def test_nobody_is_asked_without_need(requested: str, device: Any, expected: str) -> None:
    # There is no Ray here: a question would start one.
    cluster = Cluster((2,), may_grow=True)
    assert choose_precision(asked_for(requested), VIT, device, cluster).precision == expected


def test_auto_does_not_guess_for_machines_that_are_still_to_come() -> None:
    nobody = Cluster((), may_grow=True, autoscales=True)
    with pytest.raises(SettingsError, match="say --precision fp32, or --precision bf16"):
        choose_precision(asked_for("auto"), VIT, "cpu", nobody)
    assert choose_precision(asked_for("fp32"), VIT, "cpu", nobody).precision == "fp32"


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        (EncoderSpec.parse("lite0"), "bf16 moves its embeddings by up to 35%"),
        (EncoderSpec("timm/mobilenetv3_small_050", "random:0"), "has not been measured"),
    ],
)
def test_auto_keeps_fp32_where_bf16_costs_too_much(spec: EncoderSpec, why: str) -> None:
    # Here, too, nobody is asked.
    choice = choose_precision(asked_for("auto"), spec, "cpu", Cluster((2,), may_grow=True))
    assert choice.precision == "fp32"
    assert why in choice.reason
    assert choose_precision(asked_for("bf16"), spec, "cpu", Cluster((2,))).precision == "bf16"
    assert choose_precision(asked_for("auto"), spec, "cuda", Cluster((2,))).precision == "fp16"
