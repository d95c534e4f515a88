from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from jobs.current import main
from tests.unit.storage.runs.published import publish
from ufd_ray.command_line import run_job
from ufd_ray.outcome import Outcome
from ufd_ray.settings import CurrentSettings


def run(*flags: str) -> Outcome:
    with pytest.raises(SystemExit) as ended:
        run_job(CurrentSettings, main, flags)
    return Outcome(ended.value.code)


def test_it_says_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, kind in enumerate([pa.int64(), pa.string()]):
        further = [pa.field("size", kind), pa.field("run_id", pa.string())]
        publish(tmp_path, f"run-{number}", [{"uri": "a"}], minute=number, further=further)
    assert run("--output", str(tmp_path)) == Outcome.PUBLISHED
    assert capsys.readouterr().out.splitlines() == [
        "columns of several types, now text: size",
        "manifest columns not carried through, since current/ has its own: run_id",
        "1 images, newest rows of 2 published runs",
        f"written: {tmp_path}/current/scores/",
    ]
    assert (tmp_path / "current" / "_SUCCESS").exists()


def test_no_run_is_an_unusable_setting(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--output", str(tmp_path)) == Outcome.UNUSABLE_SETTINGS
    assert capsys.readouterr().err.startswith(f"error: --output {tmp_path}: no published run")
