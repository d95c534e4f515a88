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
        (["--ks", "9", "--ks", "5", "--ks", "3", "--ks", "1"], True),
        (["--ks", "9"], False),
        (["--seed", "1"], False),
        (["--limit", "9"], False),
        (["--no-bias-check"], False),
        (["--no-figures"], False),
        (["--align"], False),
    ],
)
def test_what_changes_the_figures_is_compared(flags: list[str], same: bool) -> None:
    plain = read_settings(EvaluateSettings, [*PLACES, "--bank", "/b"]).fingerprint()
    other = read_settings(EvaluateSettings, [*PLACES, "--bank", "/b", *flags]).fingerprint()
    assert (other == plain) == same
