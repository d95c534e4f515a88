"""Running a job in this process or as one of its own, and reading back what it published."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ufd_ray.command_line import run_job
from ufd_ray.outcome import Outcome
from ufd_ray.settings import JobSettings

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ended:
    """How a job ended: exit status, and what it wrote to the terminal."""

    status: int
    out: str
    err: str


def run_here(settings: type[JobSettings], job: Callable[[Any], Outcome], *flags: str) -> Ended:
    """Run a job in this process, by its command line.

    Encoders compute in fp32 unless a flag says otherwise: what is compared to 1e-5 must not depend
    on the CPU of the day. A job that is given labels has no encoder.
    """
    chosen = any("--precision" in flag or flag == "--labels" for flag in flags)
    if "precision" in settings.model_fields and not chosen:
        flags = (*flags, "--precision=fp32")
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        run_job(settings, job, flags)
    assert ended.value.code is not None
    return Ended(int(ended.value.code), out.getvalue(), err.getvalue())


def run_script(name: str, *flags: str, env: Mapping[str, str] | None = None) -> Ended:
    """Run `python jobs/NAME.py` with a Ray of its own, as somebody would in a terminal.

    Args:
        name: of the job.
        flags: its flags.
        env: further variables; those of Ray and AWS are not inherited.
    """
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "AWS_"))}
    done = subprocess.run(
        [sys.executable, f"jobs/{name}.py", *flags],
        cwd=REPOSITORY,
        env=inherited | dict(env or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class Run:
    """A run's folder, read whole.

    Attributes:
        ended: how its job ended.
        files: the bytes of every file in it, by name below the folder.
    """

    ended: Ended
    files: dict[str, bytes] = field(repr=False)

    @property
    def json(self) -> Any:
        """`run.json`."""
        return json.loads(self.files["run.json"])

    def table(self, folder: str) -> Any:
        """All rows of a folder of Parquet files."""
        names = sorted(name for name in self.files if name.startswith(f"{folder}/"))
        return pa.concat_tables(pq.read_table(io.BytesIO(self.files[name])) for name in names)

    def rows(self) -> list[dict[str, Any]]:
        """The rows of `scores/`."""
        return list(self.table("scores").to_pylist())


def read_folder(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}
