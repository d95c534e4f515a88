"""The script for cron, in a real shell; `ray` is a program that writes down how it was called."""

from __future__ import annotations

import os
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.docs.names import Names
from tests.docs.pages import block, job_of
from tests.docs.room import load_job
from ufd_ray.command_line import read_settings

SCRIPT = "docs/scheduled-crawls.md#cron-and-a-standing-cluster/2"
RAY = """\
#!/bin/sh
printf '%s\\n' "$@" "(end)" >> calls
test "$(grep -c '(end)' calls)" -ge {succeeds_at}
"""


@pytest.mark.parametrize(("succeeds_at", "status", "tries"), [(1, 0, 1), (3, 0, 3), (4, 1, 3)])
def test_each_try_names_the_same_run(
    tmp_path: Path, succeeds_at: int, status: int, tries: int
) -> None:
    programs = {"ray": RAY.format(succeeds_at=succeeds_at), "sleep": "#!/bin/sh\n"}
    for name, text in (programs | {"nightly.sh": block(SCRIPT).text}).items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    before = datetime.now(UTC).date()
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["./nightly.sh"], cwd=tmp_path, env=environment, check=False)
    nights = {f"{day:%Y-%m-%d}" for day in (before, datetime.now(UTC).date())}
    assert done.returncode == status
    calls = [call.split("\n") for call in (tmp_path / "calls").read_text().split("\n(end)\n")[:-1]]
    assert len(calls) == tries
    submissions, runs = [], set()
    for call in calls:
        submissions.append(call[call.index("--submission-id") + 1])
        job = job_of(["ray", *call])
        assert job is not None
        settings = read_settings(load_job(job[0])[0], Names("bucket", "room").words(job[1]))
        runs.add(settings.model_dump()["run_id"])
    (night,) = runs
    assert night in nights
    assert len({name.rpartition("-")[0] for name in submissions}) == 1
    for number, name in enumerate(submissions, start=1):
        assert re.fullmatch(rf"score-{night}-\d{{6}}-{number}", name)
