"""`--val-input` beside `--input`, and what a bank asks of both."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.unit.images.samples import encoded, picture
from ufd_ray.errors import SettingsError, StorageError
from ufd_ray.pipeline.inputs import list_inputs, rehearse
from ufd_ray.settings import BuildBankSettings
from ufd_ray.storage import StorageOptions


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three images of each class to train, two of each to validate."""
    monkeypatch.chdir(tmp_path)
    for place, num_images in (("train", 3), ("held", 2)):
        for label in ("0_real", "1_fake"):
            folder = Path(place, label)
            folder.mkdir(parents=True)
            for number in range(num_images):
                (folder / f"{number}.png").write_bytes(encoded(picture(seed=number), "PNG"))


def manifest(name: str, rows: list[tuple[str, int, str]]) -> str:
    with open(name, "w", newline="") as file:
        csv.writer(file).writerows([("uri", "label", "split"), *rows])
    return name


def settings(**given: Any) -> BuildBankSettings:
    return BuildBankSettings(**{"input": "train", "output": "bank", "val_input": "held"} | given)


def listed(**given: Any) -> dict[str, str | None]:
    """The end of each image's name → its split."""
    list_inputs(settings(**given), "manifest", StorageOptions(), labelled=True)
    rows = pq.read_table("manifest").to_pylist()
    assert len({row["image_id"] for row in rows}) == len(rows)
    return {"/".join(row["uri"].rsplit("/", 3)[1:]): row["split"] for row in rows}


def test_the_one_validates_and_the_other_trains() -> None:
    sides = listed()
    assert len(sides) == 10
    for name, side in sides.items():
        assert side == ("val" if name.startswith("held/") else "train")


def test_what_both_name_counts_once_and_validates(capsys: pytest.CaptureFixture[str]) -> None:
    sides = listed(input=["train", "held"], val_input=["held", "train/0_real/1.png"])
    assert [name for name, side in sides.items() if side == "train"] == [
        *("train/0_real/0.png", "train/0_real/2.png"),
        *(f"train/1_fake/{number}.png" for number in range(3)),
    ]
    said = "10 images listed · 5 named more than once (what --val-input names validates)\n"
    assert capsys.readouterr().out == said


def test_a_split_of_the_input_stays() -> None:
    rows = [("train/0_real/0.png", 0, "train"), ("train/0_real/1.png", 0, "val")]
    rows += [("train/1_fake/0.png", 1, ""), ("train/1_fake/1.png", 1, "val")]
    sides = listed(input=manifest("some.csv", rows))
    assert [side for name, side in sides.items() if name.startswith("train/")] == [
        *("train", "val", "train", "val")
    ]


def test_a_split_that_contradicts_the_flag_is_refused() -> None:
    rows = [("held/0_real/0.png", 0, "val"), ("held/1_fake/0.png", 1, "train")]
    with pytest.raises(SettingsError, match=r"--val-input: its .* says that .*1_fake/0.png trains"):
        listed(val_input=manifest("held.csv", rows))


def test_a_split_that_agrees_is_fine() -> None:
    rows = [("held/0_real/0.png", 0, "val"), ("held/1_fake/0.png", 1, "")]
    assert len(listed(val_input=manifest("held.csv", rows))) == 8


@pytest.mark.parametrize("flag", ["input", "val_input"])
def test_an_unknown_split_is_refused(flag: str) -> None:
    given = {flag: manifest("test.csv", [("held/0_real/0.png", 0, "test")])}
    with pytest.raises(SettingsError, match=f"--{flag.replace('_', '-')}: split 'test'; expected"):
        listed(**given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"val_input": "held/0_real"}, "--val-input: 2 real and 0 fake images; validation needs"),
        ({"val_input": "train"}, "--input: 0 real and 0 fake images beside those that validate"),
        ({"val_input": "gone"}, "--val-input .*gone: nothing there"),
        ({"val_input": "s.tar.gz"}, "--val-input .*s.tar.gz: images inside a compressed archive"),
    ],
)
def test_what_cannot_validate_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises((SettingsError, StorageError), match=message):
        listed(**given)


def test_images_without_a_label_are_refused() -> None:
    Path("held/1_fake").rename("held/odd")
    with pytest.raises(SettingsError, match="2 images have no label"):
        listed()


def test_globs_hold_for_both(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(listed(exclude="*/0.png")) == 6
    assert capsys.readouterr().out == "6 images listed · 4 left out by --include/--exclude\n"


def test_the_dry_run_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    rehearse(settings(), "crop", 8, StorageOptions(), labelled=True)
    first, second = capsys.readouterr().out.splitlines()
    assert first == "10 images listed"
    assert second.endswith("held/0_real/0.png: PNG, 40×30 pixels")
    with pytest.raises(SettingsError, match="--val-input: 2 real and 0 fake"):
        rehearse(settings(val_input="held/0_real"), "crop", 8, StorageOptions(), labelled=True)
