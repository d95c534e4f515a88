"""Settings of `train_baseline` that have to fit together."""

from __future__ import annotations

import pytest

from ufd_ray.command_line import read_settings
from ufd_ray.errors import SettingsError
from ufd_ray.settings import TrainBaselineSettings

GIVEN = ["--input", "/i", "--output", "/o", "--baseline", "spectrum"]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--option", "offset"], "--option: expected NAME=WORD"),
        (["--option", "=1"], "--option: expected NAME=WORD"),
        (["--epochs", "0"], "--epochs: Input should be greater than or equal to 1"),
        (["--epochs", "65536"], "--epochs: Input should be less than or equal to 65535"),
        (["--learning-rate", "0"], "--learning-rate: Input should be greater than 0"),
        (["--batch-size", "1"], "--batch-size: Input should be greater than or equal to 2"),
        (["--precision", "fp16"], "--precision: Input should be 'auto', 'fp32' or 'bf16'"),
        (["--val-input", "/v", "--val-share", "0.5"], "--val-input and --val-share exclude"),
        (["--weights", "https://me:secret@host/w.pt"], "--weights: "),
    ],
)
def test_one_line_says_what_is_wrong(flags: list[str], said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read_settings(TrainBaselineSettings, GIVEN + flags)
    assert str(refused.value).startswith(said)
    assert "\n" not in str(refused.value)


def test_options_by_name() -> None:
    flags = ["--option", "offset=2", "--option", "symmetric=yes", "--option", "offset=3"]
    settings = read_settings(TrainBaselineSettings, GIVEN + flags)
    assert settings.options == {"offset": "3", "symmetric": "yes"}


@pytest.mark.parametrize(
    ("flags", "same"),
    [
        (["--num-workers", "4", "--device", "cpu", "--max-failures", "0"], True),
        (["--output", "/elsewhere"], True),
        (["--batch-size", "4"], False),
        (["--weights", "random:1"], False),
        (["--learning-rate", "0.1"], False),
        (["--val-share", "0.2"], False),
        (["--option", "offset=2"], False),
    ],
)
def test_what_is_the_same_work(flags: list[str], same: bool) -> None:
    one = read_settings(TrainBaselineSettings, GIVEN)
    other = read_settings(TrainBaselineSettings, GIVEN + flags)
    assert (one.fingerprint() == other.fingerprint()) == same
