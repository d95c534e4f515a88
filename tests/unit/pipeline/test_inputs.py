from __future__ import annotations

from pathlib import Path

import pytest

from ufd_ray.errors import SettingsError
from ufd_ray.pipeline.inputs import check_apart, list_inputs
from ufd_ray.settings import BuildBankSettings
from ufd_ray.storage import StorageOptions


@pytest.mark.parametrize(
    ("given", "output"),
    [
        ("/crawl", "/crawl"),
        ("/crawl/", "/crawl/out"),
        ("/crawl", "file:///crawl/out"),
        ("s3://b", "s3://b/out"),
        ("s3://b/crawl/", "s3://b/crawl/deep/out"),
    ],
)
def test_an_output_within_an_input_is_refused(given: str, output: str) -> None:
    with pytest.raises(SettingsError, match="lies within --input"):
        check_apart(["/elsewhere", given], output)


@pytest.mark.parametrize(
    ("given", "output"),
    [
        ("/crawl", "/crawl-2"),
        ("/crawl/list.csv", "/crawl"),
        ("s3://b/crawl", "s3://b/out"),
        ("s3://b/crawl", "s3://c/crawl/out"),
        ("/b/crawl", "s3://b/crawl/out"),
    ],
)
def test_beside_one_another_they_are_fine(given: str, output: str) -> None:
    check_apart([given], output)


@pytest.mark.parametrize("output", ["s3://", "http://x/y"])
def test_an_output_that_is_no_place_is_refused(output: str) -> None:
    with pytest.raises(SettingsError):
        check_apart(["/crawl"], output)


def bank_settings(folder: Path, *, limit: int | None) -> BuildBankSettings:
    for label in ("0_real", "1_fake"):
        (folder / "in" / label).mkdir(parents=True)
        for number in range(3):
            (folder / "in" / label / f"{number}.png").write_bytes(b"x")
    return BuildBankSettings(input=[f"{folder}/in"], output=f"{folder}/bank", limit=limit)


def test_labels_come_from_the_folders(tmp_path: Path) -> None:
    settings = bank_settings(tmp_path, limit=None)
    found = list_inputs(settings, f"{tmp_path}/manifest", StorageOptions(), labelled=True)
    assert found.num_images == 6


def test_a_limit_that_leaves_one_class_is_refused(tmp_path: Path) -> None:
    settings = bank_settings(tmp_path, limit=3)
    with pytest.raises(SettingsError, match="3 real and 0 fake images; a bank needs both"):
        list_inputs(settings, f"{tmp_path}/manifest", StorageOptions(), labelled=True)
