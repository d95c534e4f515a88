"""Settings of `evaluate` that have to fit together."""

from __future__ import annotations

import pytest

from ufd_ray.command_line import read_settings
from ufd_ray.errors import SettingsError
from ufd_ray.settings import EvaluateSettings

PLACES = ["--input", "/i", "--output", "/o"]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "neither --bank nor --probe is given: at least one has to be judged"),
        (["--probe", "/p", "--ks", "3"], "--ks needs --bank: a probe has no neighbours"),
        (["--bank", "/b", "--ks", "0"], "--ks: Input should be greater than or equal to 1"),
        (["--bank", "/b", "--ks", "101"], "--ks: Input should be less than or equal to 100"),
        (["--bank", "/b", "--align-size", "99"], "--align-size needs --align: without it, files"),
        (["--bank", "/b", "--align-quality", "95"], "--align-quality needs --align"),
        (["--bank", "/b", "--align", "--align-quality=0"], "--align-quality: Input should be"),
        (["--bank", "/b", "--ks", "1,3"], "--ks: Input should be a valid integer"),
        (
            ["--probe", "/p", "--sweep-train-size=2"],
            "--sweep-train-size needs --bank, whose images",
        ),
        (["--bank", "/b", "--sweep-train-size=3"], "--sweep-train-size: expected an even number"),
        (["--bank", "/b", "--sweep-sigmas=1"], "--sweep-sigmas needs --sweep-blur: without it"),
        (["--bank", "/b", "--sweep-qualities=9"], "--sweep-qualities needs --sweep-jpeg"),
        (["--bank", "/b", "--sweep-jpeg", "--sweep-qualities=0"], "--sweep-qualities: Input sh"),
        (["--bank", "/b", "--sweep-blur", "--sweep-sigmas=21"], "--sweep-sigmas: Input should be"),
        (["--bank", "/b", "--compare-bank", "/c"], "--compare-bank: expected NAME=URI"),
        (["--bank", "/b", "--compare-bank", "a b=/c"], "--compare-bank: expected NAME=URI"),
        (
            ["--bank", "/b", "--compare-bank", "own=/c"],
            "--compare-bank: own is what the evaluation",
        ),
        (["--bank", "/b", "--compare-bank", "c="], "--compare-bank: empty; expected a path or URI"),
        (
            ["--bank", "/b", "--compare-bank=c=/c", "--compare-bank=c=/d"],
            "--compare-bank: two banks are called c; give each its own name",
        ),
        (["--bank", "/b", "--compare-baseline", "/c"], "--compare-baseline: expected NAME=URI"),
        (["--bank", "/b", "--compare-baseline", "c="], "--compare-baseline: empty; expected a pa"),
        (
            ["--bank", "/b", "--compare-baseline=c=/c", "--compare-baseline=c=/d"],
            "--compare-baseline: two baselines are called c; give each its own name",
        ),
        (
            ["--bank", "/b", "--compare-baseline=margin=/c"],
            "--compare-baseline: tables call a detector of ours margin; give another name",
        ),
        (
            ["--bank", "/b", "--compare-bank=c=/c", "--compare-weights=d=/w.pt"],
            "--compare-weights d: no --compare-bank is called so: c",
        ),
        (
            ["--bank", "/b", "--compare-weights=d=/w.pt"],
            "--compare-weights d: no --compare-bank is called so: there is none",
        ),
        (
            [
                "--bank=/b",
                "--compare-bank=c=/c",
                "--compare-weights=c=/w",
                "--compare-weights=c=/x",
            ],
            "--compare-weights: there are two for the bank c; give one",
        ),
        (["--bank", "/b", "--compare-weights", "c"], "--compare-weights: expected NAME=URI"),
    ],
)
def test_one_line_says_what_is_wrong(flags: list[str], said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read_settings(EvaluateSettings, PLACES + flags)
    assert str(refused.value).startswith(said)
    assert "\n" not in str(refused.value)


def test_votes_are_counted_once_and_in_order() -> None:
    settings = read_settings(
        EvaluateSettings, [*PLACES, "--bank", "/b", "--ks=9", "--ks=1", "--ks=9"]
    )
    assert settings.ks == [1, 9]
    assert settings.deciding.k == 9
    assert read_settings(EvaluateSettings, [*PLACES, "--probe", "/p"]).ks == [1, 3, 5, 9]
    with pytest.raises(ValueError, match="one number at least"):
        EvaluateSettings.model_validate({"input": "/i", "output": "/o", "bank": "/b", "ks": []})


@pytest.mark.parametrize(
    ("flags", "same"),
    [
        (["--batch-size", "4", "--max-error-rate", "0.5", "--search", "sharded"], True),
        (["--bank", "/elsewhere"], True),  # what it holds is compared
        (["--compare-baseline", "a=/elsewhere"], True),  # likewise
        (["--ks", "9", "--ks", "5", "--ks", "3", "--ks", "1"], True),
        (["--ks", "9"], False),
        (["--seed", "1"], False),
        (["--limit", "9"], False),
        (["--no-bias-check"], False),
        (["--no-figures"], False),
        (["--align"], False),
        (["--sweep-jpeg"], False),
        (["--sweep-preprocess"], False),
        (["--sweep-train-size=2"], False),
        (["--compare-bank", "c=/c"], True),  # by name and content, beside the settings
        (["--compare-bank", "c=/c", "--compare-weights", "c=/w.pt"], True),
    ],
)
def test_what_changes_the_figures_is_compared(flags: list[str], same: bool) -> None:
    plain = read_settings(EvaluateSettings, [*PLACES, "--bank", "/b"]).fingerprint()
    other = read_settings(EvaluateSettings, [*PLACES, "--bank", "/b", *flags]).fingerprint()
    assert (other == plain) == same


def test_values_are_swept_once_and_in_order() -> None:
    flags = ["--sweep-jpeg", "--sweep-qualities=50", "--sweep-qualities=90", "--sweep-qualities=50"]
    flags += ["--sweep-train-size=8", "--sweep-train-size=2"]
    flags += ["--compare-bank", "z=s3://b/x=y", "--compare-bank", "a=/c"]
    settings = read_settings(EvaluateSettings, [*PLACES, "--bank", "/b", *flags])
    assert settings.sweep_qualities == [90, 50]
    assert settings.sweep_train_size == [2, 8]
    assert list(settings.compared_banks.items()) == [("z", "s3://b/x=y"), ("a", "/c")]
    with pytest.raises(ValueError, match="--sweep-blur needs one of --sweep-sigmas at least"):
        EvaluateSettings.model_validate(
            {"input": "/i", "output": "/o", "bank": "/b", "sweep_blur": True, "sweep_sigmas": []}
        )


def test_values_of_what_is_not_swept_change_nothing() -> None:
    plain = read_settings(EvaluateSettings, [*PLACES, "--bank", "/b"]).fingerprint()
    assert not {"sweep_qualities", "sweep_sigmas"} & plain.keys()
    swept = read_settings(EvaluateSettings, [*PLACES, "--bank", "/b", "--sweep-blur"])
    assert swept.fingerprint()["sweep_sigmas"] == [1, 2, 3, 4]
    assert "sweep_qualities" not in swept.fingerprint()


def test_votes_may_be_those_of_other_banks_alone() -> None:
    flags = ["--probe", "/p", "--compare-bank", "c=/c", "--ks", "3"]
    assert read_settings(EvaluateSettings, [*PLACES, *flags]).ks == [3]


def test_a_secret_in_another_banks_uri_is_refused() -> None:
    place = "s3://key:secret@bucket/bank"
    for flags in (["--compare-bank", f"c={place}"], ["--compare-weights", f"c={place}"]):
        with pytest.raises(SettingsError) as refused:
            read_settings(EvaluateSettings, [*PLACES, "--bank", "/b", *flags])
        assert "secret@" not in str(refused.value)
