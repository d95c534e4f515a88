"""A bank and a probe by the small pretrained encoder, made once; and the crawl's run on disk."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.crawl.items import (
    Item,
    contents,
    moving,
    names_anywhere,
    names_on_disk,
    names_on_s3,
    pictures,
)
from tests.crawl.layout import Crawl, lay_out
from tests.crawl.places import Disk
from tests.crawl.plain import K, Plain, score_plainly
from tests.crawl.runs import Ended, Run, read_folder, run_here


@dataclass(frozen=True)
class Trained:
    """A bank and the probe fitted on it.

    Attributes:
        bank: the bank's folder.
        probe: the probe's folder.
        manifest: the labelled images of the bank.
        built: how `build_bank` ended.
        fitted: how `fit_probe` ended.
    """

    bank: Path
    probe: Path
    manifest: Path
    built: Ended
    fitted: Ended


@dataclass(frozen=True)
class Crawled:
    """A crawl, and its run."""

    crawl: Crawl
    run: Run


@pytest.fixture(scope="session")
def trained(ray_cluster: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Bank and probe on disk."""
    from ufd_ray.demo.pictures import Picture, training_pictures, write_manifest
    from ufd_ray.pipeline.build_bank import build_bank
    from ufd_ray.pipeline.fit_probe import fit_probe
    from ufd_ray.settings import BuildBankSettings, FitProbeSettings

    root = tmp_path_factory.mktemp("trained")
    bank, probe, manifest = root / "bank", root / "probe", root / "training.csv"
    found = training_pictures(root / "images", 20, seed=0)
    broken = root / "images" / "broken.png"
    broken.write_bytes(found[0].path.read_bytes()[:1000])
    write_manifest(manifest, [*found, Picture(broken, 0, "photograph")])
    flags = ("--input", str(manifest), "--encoder", "lite0", "--output", str(bank))
    split = ("--val-share", "0.2", "--rows-per-file", "30")
    built = run_here(BuildBankSettings, build_bank, *flags, *split)
    flags = ("--bank", str(bank), "--output", str(probe), "--num-workers", "1")
    fitted = run_here(FitProbeSettings, fit_probe, *flags)
    assert (built.status, fitted.status) == (0, 0), built.err + fitted.err
    return Trained(bank, probe, manifest, built, fitted)


@pytest.fixture(scope="session")
def crawl_pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Item]:
    """The labelled part of the crawl."""
    return list(pictures(tmp_path_factory.mktemp("pictures")))


@pytest.fixture(scope="session")
def plain(trained: Trained, crawl_pictures: Sequence[Item]) -> dict[str, Plain]:
    """What every image of the crawl comes to without Ray, by the SHA-256 of its bytes."""
    named = (*names_anywhere(), *names_on_disk(), *names_on_s3())
    items = (*crawl_pictures, *moving(), *contents(), *named)
    return score_plainly(items, trained.bank, trained.probe)


@pytest.fixture(scope="session")
def disk_run(
    trained: Trained, crawl_pictures: list[Item], tmp_path_factory: pytest.TempPathFactory
) -> Crawled:
    """The crawl on disk, scored by both detectors, below a folder with a Hive partition's name."""
    from ufd_ray.pipeline.score import score
    from ufd_ray.settings import ScoreSettings

    root = tmp_path_factory.mktemp("crawl") / "day=1 & more"
    odd = [*contents(), *names_anywhere(), *names_on_disk()]
    crawl = lay_out(Disk(root / "crawl"), crawl_pictures, list(moving()), odd)
    flags = [f"--input={uri}" for uri in crawl.inputs]
    flags += ["--bank", str(trained.bank), "--probe", str(trained.probe), "--k", str(K)]
    flags += ["--output", str(root), "--run-id", "whole", "--keep-embeddings"]
    flags += ["--max-error-rate", "0", "--batch-size", "16", "--rows-per-file", "40"]
    ended = run_here(ScoreSettings, score, *flags)
    return Crawled(crawl, Run(ended, read_folder(root / "runs" / "whole")))


@pytest.fixture
def altered_bank(trained: Trained, tmp_path: Path) -> Path:
    """A copy of the bank that a test may change."""
    return Path(shutil.copytree(trained.bank, tmp_path / "bank"))
