"""`--run-id` is an idempotency key: the same work is done once, other work never under its name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.crawl.handmade import HERE, make_bank
from tests.crawl.runs import Ended, read_folder, run_here, run_script
from ufd_ray.pairing import Detectors
from ufd_ray.pipeline.score import score
from ufd_ray.settings import ScoreSettings
from ufd_ray.storage import write_document


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run that was published already."""
    make_bank(tmp_path / "bank")
    folder = tmp_path / "runs" / "nightly"
    folder.mkdir(parents=True)
    given = {"input": ["images"], "output": ".", "bank": f"{tmp_path}/bank", "k": 3}
    settings = ScoreSettings.model_validate(given | {"precision": "fp32"})
    fingerprint = settings.fingerprint() | Detectors.read(settings, HERE).contents()
    content = {"format_version": 1, "outcome": "published", "fingerprint": fingerprint}
    write_document(str(folder), "run.json", content, HERE)
    (folder / "_SUCCESS").touch()
    return folder


def flags(run: Path, *further: str) -> list[str]:
    root = run.parents[1]
    always = ["--input=images", f"--output={root}", f"--bank={root}/bank", "--run-id=nightly"]
    return [*always, *(further or ["--k=3"])]


def submit(run: Path, *further: str) -> Ended:
    return run_here(ScoreSettings, score, *flags(run, *further))


@pytest.mark.usefixtures("nothing_starts")
def test_a_finished_run_returns_at_once(run: Path) -> None:
    before = read_folder(run)
    ended = submit(run)
    assert (ended.status, ended.err) == (0, "")
    assert ended.out == f"run nightly has been published already: {run}\n"
    assert read_folder(run) == before


def test_a_finished_run_returns_at_once_as_a_process_of_its_own(run: Path) -> None:
    # A Ray that cannot be reached: whoever tries to join it fails.
    ended = run_script("score", *flags(run), "--precision=fp32", env={"RAY_ADDRESS": "127.0.0.1:1"})
    assert (ended.status, ended.err) == (0, "")


@pytest.mark.usefixtures("nothing_starts")
def test_what_changes_no_row_may_differ(run: Path) -> None:
    assert submit(run, "--k=3", "--batch-size=7", "--max-error-rate=0").status == 0


@pytest.mark.usefixtures("nothing_starts")
def test_other_settings_are_refused_with_the_difference(run: Path) -> None:
    ended = submit(run, "--k=5")
    assert ended.status == 2
    assert ended.err == (
        "error: --run-id nightly belongs to a run with other settings: k was 3, is 5;"
        " choose another id\n"
    )


@pytest.mark.usefixtures("nothing_starts")
def test_another_bank_in_the_same_place_is_other_work(run: Path) -> None:
    path = run.parents[1] / "bank" / "bank.json"
    bank = json.loads(path.read_text())
    bank["shards"][0]["sha256"] = "0" * 64
    path.write_text(json.dumps(bank))
    ended = submit(run)
    assert ended.status == 2
    assert ended.err.startswith(
        "error: --run-id nightly belongs to a run with other settings: bank_content was '"
    )


@pytest.mark.usefixtures("nothing_starts")
def test_a_name_is_no_path(run: Path) -> None:
    ended = submit(run, "--run-id=../elsewhere")
    assert (ended.status, ended.err.count("\n")) == (2, 1)
    assert ended.err.startswith("error: --run-id: ")
