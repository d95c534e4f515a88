"""Settings of `fit_probe` that have to fit together."""

from __future__ import annotations

import pytest

from ufd_ray.command_line import read_settings
from ufd_ray.errors import SettingsError
from ufd_ray.settings import FitProbeSettings

PLACES = ["--bank", "/b", "--output", "/p"]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--l2", "abc"], "--l2: expected a number over 0, or cv, got 'abc'"),
        (["--l2", "0"], "--l2: expected a number over 0, or cv, got '0'"),
        (["--l2", "-1"], "--l2: expected a number over 0, or cv, got '-1'"),
        (["--l2", "inf"], "--l2: expected a number over 0, or cv, got 'inf'"),
        (["--l2", "nan"], "--l2: expected a number over 0, or cv, got 'nan'"),
        (["--folds", "1"], "--folds: one fold leaves nothing to fit on; expected 0, or 2 to 20"),
        (["--l2", "cv", "--recipe", "paper"], "--l2 cv is for --recipe logistic"),
        (["--folds", "3", "--recipe", "paper"], "--folds is for --recipe logistic"),
        (["--l2", "cv", "--folds", "0"], "--l2 cv needs folds to choose by"),
    ],
)
def test_one_line_says_what_is_wrong(flags: list[str], said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read_settings(FitProbeSettings, PLACES + flags)
    assert str(refused.value).startswith(said)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("given", "l2"), [("cv", "cv"), ("0.5", 0.5), ("1e-3", 0.001)])
def test_l2_is_a_number_or_cv(given: str, l2: float | str) -> None:
    assert read_settings(FitProbeSettings, [*PLACES, "--l2", given]).l2 == l2


def test_true_is_no_number() -> None:
    with pytest.raises(ValueError, match="expected a number over 0, or cv"):
        FitProbeSettings.model_validate({"bank": "/b", "output": "/p", "l2": True})


def test_an_import_minds_no_flag_about_fitting() -> None:
    flags = ["--import", "fc.pth", "--recipe", "paper", "--l2", "cv", "--folds", "3"]
    assert read_settings(FitProbeSettings, PLACES + flags).import_ == "fc.pth"


def test_help_names_both_kinds_of_l2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read_settings(FitProbeSettings, ["--help"])
    assert "--l2 {NUMBER,cv}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "same"),
    [
        (["--num-workers", "4", "--max-failures", "0", "--progress-s", "1"], True),
        (["--l2", "cv"], False),
        (["--folds", "3"], False),
        (["--calibrate", "none"], False),
        (["--max-fpr", "0.02"], False),
        (["--fake-share", "0.1"], False),
        (["--confidence", "0.9"], False),
        (["--seed", "1"], False),
    ],
)
def test_what_changes_the_probe_is_compared(flags: list[str], same: bool) -> None:
    plain = read_settings(FitProbeSettings, PLACES).fingerprint()
    assert (read_settings(FitProbeSettings, PLACES + flags).fingerprint() == plain) == same
