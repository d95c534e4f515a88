from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import jobs.export
import jobs.prune
import jobs.verify
from tests.unit.storage.runs.whole import change, publish_whole
from ufd_ray.command_line import run_job
from ufd_ray.outcome import Outcome
from ufd_ray.settings import ExportSettings, JobSettings, PruneSettings, VerifySettings

FAKE = {"uri": "a", "verdict": "fake", "probe_score": 0.9, "content_hash": "x"}
OLD = ("--runs-older-than-days", "1")


def run(
    settings: type[JobSettings], job: Callable[[Any], Outcome], root: Path, *flags: str
) -> Outcome:
    with pytest.raises(SystemExit) as ended:
        run_job(settings, job, ["--output", str(root), *flags])
    return Outcome(ended.value.code)


def verify(root: Path, *flags: str) -> Outcome:
    return run(VerifySettings, jobs.verify.main, root, *flags)


def prune(root: Path, *flags: str) -> Outcome:
    return run(PruneSettings, jobs.prune.main, root, *flags)


def export(root: Path, *flags: str) -> Outcome:
    return run(ExportSettings, jobs.export.main, root, *flags)


def test_verify_names_every_fault_of_every_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in "abc":
        publish_whole(tmp_path, name, [FAKE])
    assert verify(tmp_path) == Outcome.PUBLISHED
    assert capsys.readouterr().out.splitlines() == [
        f"run {name}: sound: 1 files, 1 rows" for name in "abc"
    ]
    change(tmp_path / "runs" / "a", manifest={"num_images": 2})
    (tmp_path / "runs" / "c" / "scores" / "part-00000.parquet").unlink()
    assert verify(tmp_path, "--run-id", "b") == Outcome.PUBLISHED
    capsys.readouterr()
    assert verify(tmp_path, "--current") == Outcome.FAILED
    assert capsys.readouterr().out.splitlines() == [
        "run a: 1 fault",
        "  manifest: 1 images; run.json says 2",
        "run b: sound: 1 files, 1 rows",
        "run c: 1 fault",
        "  scores/part-00000.parquet: it is gone",
        "current: 2 faults",
        "  there is no _SUCCESS: it is not published",
        "  there is no current.json",
        "3 not sound: exit status 1",
    ]
    assert verify(tmp_path / "nowhere") == Outcome.UNUSABLE_SETTINGS


def test_a_rehearsal_says_what_prune_says_and_deletes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for day, name in enumerate("ab"):
        publish_whole(tmp_path, name, [FAKE], day=day - 20_000)
    assert prune(tmp_path, *OLD, "--dry-run") == Outcome.PUBLISHED
    *rehearsed, last = capsys.readouterr().out.splitlines()
    assert last == "dry run: nothing was deleted"
    assert (tmp_path / "runs" / "a" / "_SUCCESS").exists()
    assert prune(tmp_path, *OLD) == Outcome.PUBLISHED
    assert capsys.readouterr().out.splitlines() == rehearsed
    assert not (tmp_path / "runs" / "a").exists()
    assert prune(tmp_path, *OLD, "--forget", "b") == Outcome.PUBLISHED
    assert not (tmp_path / "runs" / "b").exists()


def test_export_says_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish_whole(tmp_path, "r", [FAKE, FAKE | {"uri": "b"}])
    to = tmp_path / "flagged.csv"
    assert export(tmp_path, "--run-id", "r", "--to", str(to), "--verdict", "all") == 0
    assert capsys.readouterr().out.splitlines() == [
        "1 further names of the same bytes left out",
        f"1 images: {to}",
    ]
    assert to.read_text().count("\n") == 2
    publish_whole(tmp_path, "s", [FAKE | {"uri": "c"}], day=1, detector_id="other")
    assert export(tmp_path, "--run-id", "r", "--run-id", "s", "--to", str(to)) == 0
    assert "rows of 2 detectors, the newest one's first" in capsys.readouterr().out
    assert export(tmp_path, "--current", "--to", str(to)) == Outcome.UNUSABLE_SETTINGS
    assert "is not complete; make it with jobs/current.py" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("job", "flags", "said"),
    [
        (prune, [], "no policy is given: --runs-older-than-days"),
        (prune, ["--runs-older-than-days", "0"], "greater than or equal to 1"),
        (prune, ["--unfinished-older-than-days", "1", "--forget", "a"], "--forget needs"),
        (prune, ["--embeddings-older-than-days", "99999999999"], "less than or equal to 36500"),
        (prune, [*OLD, "--forget", "../a"], "should match pattern"),
        (verify, ["--run-id", "a/b"], "should match pattern"),
        (export, ["--to", "x.csv"], "whose rows? Give either --run-id"),
        (export, ["--to", "x.csv", "--current", "--run-id", "a"], "whose rows?"),
        (export, ["--to", "x.xlsx", "--current"], "expected one that ends with .csv or .jsonl"),
        (export, ["--current"], "--to is required"),
        (export, ["--to", "x.csv", "--current", "--verdict", "maybe"], "'fake'"),
        (export, ["--to", "x.csv", "--current", "--min-score", "3"], "less than or equal to 2"),
        (export, ["--to", "x.csv", "--current", "--limit", "0"], "greater than or equal to 1"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    job: Callable[..., Outcome],
    flags: list[str],
    said: str,
) -> None:
    assert job(tmp_path, *flags) == Outcome.UNUSABLE_SETTINGS
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
