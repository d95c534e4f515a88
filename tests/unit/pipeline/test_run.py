"""One run's steps under its lease, with the work itself left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from ufd_ray.encoders import EncoderSpec
from ufd_ray.errors import LeaseError, SettingsError, StorageError
from ufd_ray.outcome import Outcome
from ufd_ray.pipeline import run as module
from ufd_ray.pipeline.cluster import Cluster
from ufd_ray.pipeline.encoding import EncoderPlan
from ufd_ray.pipeline.publishing import Census
from ufd_ray.pipeline.run import Run
from ufd_ray.settings import ScoreSettings
from ufd_ray.storage import ManifestInfo, PublishedFile, RunFolder, StorageOptions

CLUSTER = Cluster((2,))
LISTED = ManifestInfo(0, 0, 0, 0, (), 0, ())


class NoDetectors:
    """All that a run writes down of its detectors."""

    encoder = None

    def contents(self) -> dict[str, str]:
        return {"encoder_id": "e"}

    def detector_id(self, precision: str) -> str:
        return "d"

    def describe(self, precision: str, device: str) -> dict[str, Any]:
        return {"encoder_id": "e"}


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(str(tmp_path), "a", StorageOptions())


@pytest.fixture
def job(folder: RunFolder) -> Run:
    settings = ScoreSettings(input=["/photos"], output=folder.root, bank="/bank", lease_s=0.5)
    plan = EncoderPlan(EncoderSpec("timm/x", "random:0"), "crop", None, "cpu", "fp32", "float32")
    detectors: Any = NoDetectors()
    return Run(settings, detectors, plan, folder)


def take_over(folder: RunFolder) -> None:
    """As a rival does after this process slept for longer than its lease."""
    lease = Path(folder.uri, "lease")
    newest = max(int(path.stem) for path in lease.glob("*.json"))
    for number in range(newest + 1, 51):  # whatever is renewed meanwhile comes too late
        file = lease / f"{number:08d}.json"
        if not file.exists():
            file.write_text(json.dumps({"holder": "rival", "lease_s": 0.5, "released": False}))
    Path(folder.uri, "run.json").write_text("the rival's")
    Path(folder.manifest).mkdir(exist_ok=True)
    Path(folder.manifest, "part-00000.parquet").write_text("the rival's")


def test_who_was_taken_over_from_while_listing_leaves_all_as_it_is(
    job: Run, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slept(*_: object) -> ManifestInfo:
        take_over(folder)
        raise KeyboardInterrupt  # how a lost lease ends the work

    monkeypatch.setattr(module, "interrupt", lambda: None)
    monkeypatch.setattr(module, "list_images", slept)
    with pytest.raises(LeaseError, match="another process has taken over"):
        job.work(CLUSTER)
    assert Path(folder.uri, "run.json").read_text() == "the rival's"
    assert Path(folder.manifest, "part-00000.parquet").read_text() == "the rival's"
    assert len(list(Path(folder.uri, "lease").glob("*.json"))) == 50


def test_a_listing_that_fails_gives_the_name_back(
    job: Run, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> ManifestInfo:
        raise SettingsError("--input: no images")

    monkeypatch.setattr(module, "list_images", fail)
    with pytest.raises(SettingsError, match="no images"):
        job.work(CLUSTER)
    assert not Path(folder.uri).exists()


def test_a_published_run_stays_one_when_its_last_step_fails(
    job: Run, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: RunFolder) -> None:
        raise StorageError("parts cannot be deleted")

    monkeypatch.setattr(module, "list_images", lambda *_: LISTED)
    monkeypatch.setattr(module, "start_tally", lambda: None)
    monkeypatch.setattr(module, "read_tally", lambda *_: None)
    monkeypatch.setattr(module, "render_run", lambda *_: "")
    monkeypatch.setattr(module, "Survey", Mock())
    monkeypatch.setattr(module, "find", lambda *_: None)
    monkeypatch.setattr(Run, "_score", lambda *_: None)
    files = [PublishedFile("scores/part-00000.parquet", 0, "5", 1)]
    monkeypatch.setattr(module, "publish_scores", lambda *_: (files, Census()))
    monkeypatch.setattr(RunFolder, "seal", refuse)
    with pytest.raises(StorageError, match="parts cannot be deleted"):
        job.work(CLUSTER)
    assert json.loads(Path(folder.uri, "run.json").read_text())["outcome"] == "published"
    monkeypatch.undo()
    monkeypatch.setattr(module, "check_files", lambda *_: None)
    assert job.work(CLUSTER) is Outcome.PUBLISHED
    assert Path(folder.uri, "_SUCCESS").exists()
