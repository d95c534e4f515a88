from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from ufd_ray.settings import (
    BuildBankSettings,
    CalibrateSettings,
    DemoSettings,
    EvaluateSettings,
    FitProbeSettings,
    ImageSettings,
    JobSettings,
    PlanSettings,
    ReportSettings,
    ScoreSettings,
    TrainBaselineSettings,
)

JOBS = [
    *(BuildBankSettings, CalibrateSettings, ScoreSettings, FitProbeSettings, DemoSettings),
    *(PlanSettings, EvaluateSettings, ReportSettings, TrainBaselineSettings),
]
SCORE = {"input": ["/photos"], "output": "/out", "probe": "/probe"}
FIELDS = [(job, name, field) for job in JOBS for name, field in job.model_fields.items()]


@pytest.mark.parametrize(("job", "name", "field"), FIELDS)
def test_every_field_says_what_it_is(job: type[JobSettings], name: str, field: FieldInfo) -> None:
    assert field.description
    assert not field.description.endswith(".")
    assert "\n" not in field.description


@pytest.mark.parametrize(("job", "name", "field"), FIELDS)
def test_every_number_has_a_range(job: type[JobSettings], name: str, field: FieldInfo) -> None:
    numbers = (int, float, int | None)
    if field.annotation in numbers:
        assert field.metadata, f"{job.__name__}.{name} takes any number"


@pytest.mark.parametrize(("job", "name", "field"), FIELDS)
def test_names_say_their_units(job: type[JobSettings], name: str, field: FieldInfo) -> None:
    words = {"_s": "second", "max_bytes": "bytes", "max_pixels": "pixels"}
    for ending, unit in words.items():
        if name.endswith(ending):
            assert unit in (field.description or "")


@pytest.mark.parametrize("job", JOBS)
def test_every_job_says_what_it_does(job: type[JobSettings]) -> None:
    assert job.__doc__


def test_settings_are_frozen() -> None:
    settings = ScoreSettings.model_validate(SCORE)
    with pytest.raises(ValidationError):
        settings.k = 3  # type: ignore[misc]


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValidationError):
        ScoreSettings.model_validate(SCORE | {"colour": "red"})


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"probe": None}, "at least one has to decide"),
        ({"decide_by": "neighbors"}, "needs --bank"),
        ({"probe": None, "bank": "/bank", "decide_by": "probe"}, "needs --probe"),
        ({"input": []}, "--input is required"),
        ({"from_run": "a"}, "--input and --from-run exclude each other"),
        ({"input": [], "from_run": ["a"], "retry_failed": "b"}, "exclude each other"),
        ({"input": [], "from_run": ["a"], "incremental": True}, "--incremental needs --input"),
        ({"embeddings": ["/e"]}, "--input and --embeddings exclude each other"),
        ({"input": [], "embeddings": ["/e"], "include": ["*.x"]}, "no images: --include means"),
        ({"input": [], "embeddings": ["/e"], "allow_http": True}, "--allow-http means nothing"),
        ({"embedding_column": "clip"}, "--embedding-column needs --embeddings"),
        ({"embeddings_encoder": "abc"}, "--embeddings-encoder needs --embeddings"),
        ({"input": [], "from_run": ["a"], "plan": "/plan.json"}, "--plan needs --input"),
        ({"input": [], "retry_failed": "../a"}, "should match pattern"),
        ({"lease_s": 0}, "greater than 0"),
        ({"lease_s": "inf"}, "finite number"),
        ({"fetch_timeout_s": "nan"}, "finite number"),
        ({"k": 0}, "greater than or equal to 1"),
        ({"k": 101}, "less than or equal to 100"),
        ({"max_error_rate": 1.5}, "less than or equal to 1"),
        ({"max_error_rate": float("nan")}, "less than or equal to 1|finite|greater than"),
        ({"fetch_timeout_s": 0}, "greater than 0"),
        ({"run_id": "../etc"}, "should match pattern"),
        ({"run_id": ""}, "should match pattern"),
        ({"run_id": ".hidden"}, "should match pattern"),
        ({"run_id": "a/b"}, "should match pattern"),
        ({"run_id": "a\n"}, "should match pattern"),
        ({"run_id": "x" * 129}, "should match pattern"),
        ({"device": "tpu"}, "'cuda'"),
        ({"decide_by": "margin"}, "--decide-by margin needs --bank"),
        ({"threshold": "best"}, "expected a number, or one of default, tuned, max-fpr, calibrated"),
        ({"threshold": "inf"}, "expected a number"),
        ({"threshold": True}, "expected a number"),
        ({"threshold": 1.5}, r"--threshold 1.5: what decides \(probe\) lies between 0 and 1"),
        ({"unsure_above": -0.5}, "--unsure-above -0.5: what decides"),
        ({"bank": "/bank", "decide_by": "margin", "threshold": 3}, "between -2 and 2"),
        ({"bank": "/bank", "decide_by": "neighbors", "threshold": "tuned"}, r"only k \+ 1 values"),
        ({"probe": None, "bank": "/bank", "unsure_above": "tuned"}, r"only k \+ 1 values"),
        ({"s3_kms_key": ""}, "should match pattern"),
        ({"s3_kms_key": "two words"}, "should match pattern"),
        ({"s3_kms_key": "a\r\nx-amz-acl: public-read"}, "should match pattern"),
        ({"s3_kms_key": "a\n"}, "should match pattern"),
    ],
)
def test_values_out_of_range_are_refused(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        ScoreSettings.model_validate(SCORE | change)


@pytest.mark.parametrize("run_id", ["a", "2024-01-01", "nightly_7.b", "x" * 128])
def test_names_of_runs(run_id: str) -> None:
    assert ScoreSettings.model_validate(SCORE | {"run_id": run_id}).run_id == run_id


@pytest.mark.parametrize(
    ("given", "decider"),
    [
        ({}, "probe"),
        ({"bank": "/bank"}, "probe"),
        ({"bank": "/bank", "probe": None}, "neighbors"),
        ({"bank": "/bank", "decide_by": "neighbors"}, "neighbors"),
        ({"bank": "/bank", "decide_by": "margin"}, "margin"),
    ],
)
def test_who_decides(given: dict[str, Any], decider: str) -> None:
    assert ScoreSettings.model_validate(SCORE | given).decider == decider


def test_import_is_a_field_in_spite_of_python() -> None:
    settings = FitProbeSettings.model_validate({"bank": "/b", "output": "/p", "import": "a.pth"})
    assert settings.import_ == "a.pth"


# What two submissions are compared by


def test_what_changes_no_row_is_not_compared() -> None:
    settings = ScoreSettings.model_validate(SCORE)
    other = ScoreSettings.model_validate(
        SCORE
        | {"batch_size": 7, "device": "cpu", "run_id": "r", "progress_s": 1, "dry_run": True}
        | {"fetch_timeout_s": 1, "rows_per_file": 5, "num_encoders": 2, "max_error_rate": 1}
        | {"weights": "/w.pt", "output": "/elsewhere", "lease_s": 1, "fetch_attempts": 2}
        | {"reuse_embeddings": False, "bank": "/moved", "probe": "/moved"}
        | {"s3_requester_pays": True, "s3_kms_key": "alias/scores"}
        | {"plan": "/plan.json"}
        | {"search": "sharded", "search_memory_mb": 1, "search_shards": 2, "search_device": "cpu"}
    )
    assert settings.fingerprint() == other.fingerprint()


@pytest.mark.parametrize(
    "change",
    [
        {"input": ["/other"]},
        {"include": ["*.jpg"]},
        {"exclude": ["*.jpg"]},
        {"limit": 5},
        {"max_bytes": 5},
        {"max_pixels": 5},
        {"precision": "bf16"},
        {"allow_http": True},
        {"incremental": True},
        {"input": [], "from_run": ["a"]},
        {"input": [], "retry_failed": "a"},
        {"input": [], "embeddings": ["/e"]},
        {"k": 3},
        {"decide_by": "probe"},
        {"keep_embeddings": True},
        {"s3_endpoint": "http://x"},
    ],
)
def test_what_changes_rows_is_compared(change: dict[str, Any]) -> None:
    settings = ScoreSettings.model_validate(SCORE)
    other = ScoreSettings.model_validate(SCORE | change)
    assert settings.fingerprint() != other.fingerprint()


def test_all_that_changes_no_row_exists() -> None:
    known = {name for job in JOBS for name in job.model_fields}
    for job in JOBS:
        assert job.changes_no_row <= known
    assert issubclass(ScoreSettings, ImageSettings)


@pytest.mark.parametrize(
    ("given", "threshold"),
    [("0.25", 0.25), (1, 1.0), (0.5, 0.5), ("tuned", "tuned"), ("max-fpr", "max-fpr")],
)
def test_a_threshold_is_a_number_or_a_name(given: Any, threshold: float | str) -> None:
    settings = ScoreSettings.model_validate(SCORE | {"threshold": given})
    assert settings.threshold == threshold
    assert type(settings.threshold) is type(threshold)
