"""A plan is taken for the run that it is for, and for no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.crawl.handmade import HERE, TINY, make_bank, make_probe
from ufd_ray.encoders import EncoderSpec
from ufd_ray.errors import SettingsError
from ufd_ray.pairing import Detectors
from ufd_ray.pipeline.encoding import EncoderPlan
from ufd_ray.pipeline.planning.document import about, folder_and_name, read_plan, write_plan
from ufd_ray.settings import PlanSettings, ScoreSettings

PLAN = EncoderPlan(EncoderSpec(TINY.arch, TINY.weights), "crop", None, "cpu", "fp32", "float32")
FURTHER = {"machines": {}, "estimate": {}}


@pytest.fixture
def given(tmp_path: Path) -> dict[str, Any]:
    bank, probe = make_bank(tmp_path / "bank"), make_probe(tmp_path / "probe")
    return {"input": ["/images"], "bank": str(bank), "probe": str(probe), "k": 3}


def of_plan(given: dict[str, Any]) -> dict[str, Any]:
    settings = PlanSettings.model_validate(given)
    return about(settings, TINY, PLAN, Detectors.read(settings, HERE))


def of_run(given: dict[str, Any], plan: EncoderPlan = PLAN) -> dict[str, Any]:
    settings = ScoreSettings.model_validate(given | {"output": "/out"})
    return about(settings, TINY, plan, Detectors.read(settings, HERE))


def test_the_same_settings_are_the_same(given: dict[str, Any], tmp_path: Path) -> None:
    file = str(tmp_path / "plan.json")
    write_plan(file, {"about": of_plan(given), **FURTHER}, HERE)
    assert read_plan(file, of_run(given), HERE)["about"] == of_run(given)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"input": ["/others"]}, r"input was \['/images'\], is \['/others'\]"),
        ({"exclude": ["*.png"]}, "exclude was"),
        ({"bank": None}, "bank_content was '.*', is None"),
        ({"keep_embeddings": True}, "keep_embeddings was False, is True"),
        ({"k": 5}, "k was 3, is 5"),
    ],
)
def test_other_settings_are_refused(
    given: dict[str, Any], tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    file = str(tmp_path / "plan.json")
    write_plan(file, {"about": of_plan(given), **FURTHER}, HERE)
    with pytest.raises(SettingsError, match=said) as refused:
        read_plan(file, of_run(given | change), HERE)
    assert "\n" not in str(refused.value)


def test_another_device_or_encoder_is_refused(given: dict[str, Any], tmp_path: Path) -> None:
    file = str(tmp_path / "plan.json")
    write_plan(file, {"about": of_plan(given), **FURTHER}, HERE)
    on_gpu = EncoderPlan(PLAN.spec, "crop", None, "cuda", "fp16", "float32")
    with pytest.raises(SettingsError, match="device was 'cpu', is 'cuda', precision was 'fp32'"):
        read_plan(file, of_run(given, on_gpu), HERE)
    with pytest.raises(SettingsError, match="encoder was"):
        read_plan(file, of_run(given) | {"encoder": "another"}, HERE)


def test_what_is_no_plan_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"--plan /nowhere/plan.json: there is no plan.json"):
        read_plan("/nowhere/plan.json", {}, HERE)
    write_plan(str(tmp_path / "run.json"), {"run_id": "a"}, HERE)
    with pytest.raises(SettingsError, match=r"is no plan; jobs/plan.py --output writes one"):
        read_plan(str(tmp_path / "run.json"), {}, HERE)


@pytest.mark.parametrize(
    ("uri", "parts"),
    [
        ("plan.json", (".", "plan.json")),
        ("/plan.json", ("/", "plan.json")),
        ("a/b/plan.json", ("a/b", "plan.json")),
        ("s3://plans/2026/plan.json", ("s3://plans/2026", "plan.json")),
    ],
)
def test_a_file_is_in_a_folder(uri: str, parts: tuple[str, str]) -> None:
    assert folder_and_name(uri) == parts
