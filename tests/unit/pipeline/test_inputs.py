from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.storage.runs.published import publish
from ufd_ray.errors import SettingsError
from ufd_ray.pipeline.inputs import check_apart, list_inputs, rehearse
from ufd_ray.settings import BuildBankSettings, ScoreSettings
from ufd_ray.storage import Ledger, StorageOptions
from ufd_ray.storage.listing.prefixes import list_prefix


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


def test_an_output_within_an_input_behind_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "crawl").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "crawl")
    for given, output in (("crawl", "link/out"), ("link", "crawl/out")):
        with pytest.raises(SettingsError, match="lies within --input"):
            check_apart([str(tmp_path / given)], str(tmp_path / output))


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


@pytest.mark.parametrize("output", ["s3://", "http://x/y", "/what?", "s3://b/what?/out"])
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
    with pytest.raises(SettingsError, match="3 real and 0 fake images; both are needed"):
        list_inputs(settings, f"{tmp_path}/manifest", StorageOptions(), labelled=True)


class Crawl:
    """Five files of a crawl, and runs that have scored some of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "in").mkdir()
        for name in "abcde":
            (folder / "in" / f"{name}.png").write_bytes(name.encode())
        pages = list_prefix(f"{folder}/in", StorageOptions())
        self.rows = [vars(entry) for page in pages for entry in page]
        self.settings = ScoreSettings(
            input=[f"{folder}/in"], output=f"{folder}/out", probe="probe", incremental=True
        )

    def ledger(self) -> Ledger:
        return Ledger(f"{self.folder}/out", StorageOptions(), "detector")

    def list(self) -> int:
        folder, options = f"{self.folder}/manifest", StorageOptions()
        return list_inputs(self.settings, folder, options, ledger=self.ledger()).num_images

    def publish(self, run_id: str, *places: int, **how: Any) -> None:
        publish(self.folder / "out", run_id, [self.rows[place] for place in places], **how)


@pytest.fixture
def crawl(tmp_path: Path) -> Crawl:
    return Crawl(tmp_path)


def test_what_is_new_is_said(crawl: Crawl, capsys: pytest.CaptureFixture[str]) -> None:
    crawl.publish("first", 0, 1, 2)
    assert crawl.list() == 2
    said = "5 images listed\n2 new or changed, 3 unchanged\n"
    assert capsys.readouterr().out == said
    rehearse(crawl.settings, "crop", 8, StorageOptions(), ledger=crawl.ledger())
    uri = crawl.rows[3]["uri"]
    assert capsys.readouterr().out.startswith(f"{said}read {uri}: ")


def test_nothing_new_is_no_fault(crawl: Crawl, capsys: pytest.CaptureFixture[str]) -> None:
    crawl.publish("first", 0, 1, 2, 3, 4)
    assert crawl.list() == 0
    said = "5 images listed\n0 new or changed, 5 unchanged\n"
    assert capsys.readouterr().out == said
    rehearse(crawl.settings, "crop", 8, StorageOptions(), ledger=crawl.ledger())
    assert capsys.readouterr().out == said


def test_no_images_at_all_stay_a_fault(crawl: Crawl) -> None:
    nothing = ScoreSettings(**crawl.settings.model_dump() | {"exclude": ["*"]})
    with pytest.raises(SettingsError, match="no images"):
        list_inputs(nothing, f"{crawl.folder}/m", StorageOptions(), ledger=crawl.ledger())


def test_rows_of_another_detector_are_pointed_out(
    crawl: Crawl, capsys: pytest.CaptureFixture[str]
) -> None:
    for place in range(5):
        crawl.publish(f"run-{place}", place, minute=place, detector_id="other")
    assert crawl.list() == 0
    flags = " ".join(f"--from-run run-{number}" for number in reversed(range(5)))
    assert (
        "5 unchanged images were last scored by another detector; rescore them from their kept"
        f" embeddings with: score {flags}, or without --incremental\n"
    ) in capsys.readouterr().out


def test_what_cannot_be_told_apart_is_taken(
    crawl: Crawl, capsys: pytest.CaptureFixture[str]
) -> None:
    (crawl.folder / "list.txt").write_text("in/a.png\n")
    settings = ScoreSettings(
        **crawl.settings.model_dump() | {"input": [f"{crawl.folder}/list.txt"]}
    )
    crawl.publish("first", 0)
    found = list_inputs(settings, f"{crawl.folder}/m", StorageOptions(), ledger=crawl.ledger())
    assert found.num_images == 1
    assert "1 images are taken because their listing knows neither" in capsys.readouterr().out
