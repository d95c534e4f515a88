"""A fit whose probe and checkpoints lie in a bucket; and what a file system needs for that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow.fs
import pytest

from tests.crawl.fixtures import Trained
from tests.crawl.runs import run_here
from tests.servers.s3 import S3Server
from ufd_ray.pipeline.fit_probe import fit_probe
from ufd_ray.pipeline.fitting import driver
from ufd_ray.settings import FitProbeSettings
from ufd_ray.storage import StorageOptions, open_filesystem, parse_uri

LogIn = Callable[[Mapping[str, str]], None]


@pytest.fixture
def place(s3_server: S3Server, log_in: LogIn) -> str:
    """URI of a folder in a bucket."""
    log_in(s3_server.environment())
    return f"s3://{s3_server.make_bucket()}/models"


@pytest.mark.parametrize("size", [0, 1, 10 * 2**20])
def test_files_can_be_copied_there_and_back(place: str, tmp_path: Path, size: int) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").write_bytes(
        bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    )
    target = parse_uri(place)
    store, here = open_filesystem(target, StorageOptions()), pyarrow.fs.LocalFileSystem()
    pyarrow.fs.copy_files(
        str(tmp_path / "there"), target.path, source_filesystem=here, destination_filesystem=store
    )
    (tmp_path / "back").mkdir()
    pyarrow.fs.copy_files(
        target.path, str(tmp_path / "back"), source_filesystem=store, destination_filesystem=here
    )
    before, after = ((tmp_path / name / "file").read_bytes() for name in ("there", "back"))
    assert before == after


@pytest.mark.slow
@pytest.mark.usefixtures("ray_cluster")
def test_checkpoints_lie_in_the_bucket_and_go_with_the_fit(
    place: str, s3_server: S3Server, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "CHECKPOINT_S", 0.0)  # one a step
    flags = ("--bank", str(trained.bank), "--output", f"{place}/probe", "--folds", "0")
    ended = run_here(FitProbeSettings, fit_probe, *flags)
    assert ended.status == 0, ended.out + ended.err
    bucket = parse_uri(place).bucket
    listed = s3_server.client().list_objects_v2(Bucket=bucket).get("Contents", [])
    names = {entry["Key"].removeprefix("models/probe/") for entry in listed}
    assert names == {"probe.json", "probe.safetensors", "curve.png"}
