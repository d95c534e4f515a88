"""The place in which blocks are run: the pages' buckets in one of the real S3 server."""

from __future__ import annotations

import contextlib
import importlib
import io
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

import duckdb

from tests.crawl.runs import Ended, run_here
from tests.docs.names import EXPANDED, Names
from tests.docs.pages import Block, job_of
from ufd_ray.outcome import Outcome
from ufd_ray.settings import JobSettings

PREPARING = {".", "export"}
"""Commands beside those that run jobs: they prepare a shell."""


def load_job(name: str) -> tuple[type[JobSettings], Callable[[Any], Outcome]]:
    """The settings class and the function of `jobs/NAME.py`."""
    main = importlib.import_module(f"jobs.{name}").main
    return get_type_hints(main)["settings"], main


@dataclass(frozen=True)
class Room:
    """What a block finds.

    Attributes:
        names: what its names stand for; the folder has a copy of the scores, for readers of files.
        client: of the server.
    """

    names: Names
    client: Any = field(repr=False)

    def furnish(self, seed: Room) -> None:
        """Copy models and scores from another room."""
        prefix = f"{seed.names.room}/"
        for key in seed.objects():
            self.client.copy_object(
                Bucket=self.names.bucket,
                Key=f"{self.names.room}/{key.removeprefix(prefix)}",
                CopySource={"Bucket": seed.names.bucket, "Key": key},
            )

    def objects(self) -> list[str]:
        """Everything in the room."""
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.names.bucket, Prefix=f"{self.names.room}/"
        )
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def download(self) -> Path:
        """A copy of the room's models and scores on disk."""
        for key in self.objects():
            file = Path(self.names.folder, key.removeprefix(f"{self.names.room}/"))
            file.parent.mkdir(parents=True, exist_ok=True)
            self.client.download_file(self.names.bucket, key, str(file))
        return Path(self.names.folder)

    def run_shell(self, block: Block) -> list[Ended]:
        """Run the jobs of a block, each in this process."""
        ended = []
        for command in block.commands(EXPANDED):
            if command[0] in PREPARING:
                continue
            job = job_of(command)
            assert job is not None, f"{block.key}: no test knows how to run {command}"
            settings, main = load_job(job[0])
            ended.append(run_here(settings, main, *self.names.words(job[1])))
        assert ended, f"{block.key}: nothing of it was run"
        return ended

    def run_sql(self, block: Block) -> list[tuple[Any, ...]]:
        """The rows that DuckDB gives; the pages' bucket is the copy on disk."""
        folder = self.download()
        with duckdb.connect() as connection:
            query = block.text.replace("s3://scores", f"{folder}/scores")
            return connection.execute(query).fetchall()

    def run_python(self, block: Block, namespace: dict[str, Any]) -> str:
        """What a block prints, run in the room's folder."""
        folder, out = self.download(), io.StringIO()
        run = folder / "scores" / "runs" / "2026-11-24"
        if run.exists() and not (folder / "demo-output").exists():
            shutil.copytree(run, folder / "demo-output" / "runs" / "demo")
            shutil.copy(run / "run.json", folder)
        with contextlib.redirect_stdout(out), contextlib.chdir(folder):
            exec(self.names.uri(block.text), namespace)
        return out.getvalue()
