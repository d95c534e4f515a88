"""Pictures → bank, probe, thresholds → crawl → scores → table, by the jobs' own functions."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pyarrow.parquet as pq

from ufd_ray.demo.figures import Detector
from ufd_ray.demo.pictures import crawl_pictures, training_pictures, write_manifest
from ufd_ray.demo.table import render
from ufd_ray.errors import SettingsError
from ufd_ray.outcome import Outcome
from ufd_ray.pipeline.build_bank import build_bank
from ufd_ray.pipeline.calibrate import calibrate
from ufd_ray.pipeline.fit_probe import fit_probe
from ufd_ray.pipeline.score import score
from ufd_ray.settings import (
    BuildBankSettings,
    CalibrateSettings,
    DemoSettings,
    FitProbeSettings,
    ScoreSettings,
)
from ufd_ray.storage import StorageOptions, read_bank_info, read_neighbors, read_probe

_MARK = ".made-by-ufd-ray-demo"

_MEANING = """
What this shows: the whole path, with a real pretrained encoder. It learned from one "generator"
and is asked about four that it never saw. AP stays high: fakes are ranked above photographs. The
accuracy falls much more, at 0.5 as at a threshold tuned on the generator trained on: a threshold
does not carry over. That is the paper's own picture. A few labelled images of the new generator
bring most of it back.

What it does not show: how well generated pictures are told apart. The "photographs" are crops of
two pictures, the "generators" only resample, and lite0 is a small encoder for trying things out.

The paper's encoder is CLIP ViT-L/14:
  python jobs/build_bank.py --encoder clip-vit-l14 --input YOUR_LABELLED_IMAGES --output BANK
(where the machine reaches no model hub, --weights FILE says where the weights lie).
"""


def run_demo(settings: DemoSettings) -> Outcome:
    """Run the tour.

    Raises:
        SettingsError: the output folder holds something that the demo did not make.
        UfdError: one of the jobs failed.
    """
    begun = time.monotonic()
    root = _fresh_folder(Path(settings.output))
    train, crawl = root / "training.csv", root / "crawl.csv"
    print(f"1. Making {2 * settings.num_crops} training images and a crawl from two photographs")
    training = training_pictures(root / "training", settings.num_crops, settings.seed)
    num_val = sum(picture.split == "val" for picture in training)
    write_manifest(train, training)
    write_manifest(crawl, crawl_pictures(root / "crawl", settings.num_crops // 4, settings.seed))
    bank, probe = str(root / "bank"), str(root / "probe")
    print("\n2. Encoding the training images into a feature bank")
    build_bank(BuildBankSettings(input=[str(train)], encoder="lite0", output=bank))
    print("\n3. Fitting the linear probe on the bank")
    fit_probe(FitProbeSettings(bank=bank, output=probe))
    print("\n4. Thresholds for the neighbours, by the bank's held-out images")
    calibrate(CalibrateSettings(bank=bank))
    print("\n5. Scoring the crawl, five broken files in it")
    run = ScoreSettings(input=[str(crawl)], output=str(root), bank=bank, probe=probe, run_id="demo")
    outcome = score(run)
    folder = root / "runs" / "demo"
    print("\n6. What came out, as read from the published Parquet\n")
    scores = pq.read_table(folder / "scores")
    print(render(scores, _detectors(bank, probe), num_val, settings.seed))
    print(_MEANING)
    print(f"Scores:  {folder}/scores/\nReport:  {folder}/report.html\nRecord:  {folder}/run.json")
    print(f"{time.monotonic() - begun:.0f} s in all")
    return outcome


def _detectors(bank: str, probe: str) -> list[Detector]:
    """Probe and neighbours, with the thresholds that were tuned on the held-out images."""
    storage = StorageOptions()
    neighbors = read_neighbors(read_bank_info(bank, storage), storage)
    by_probe = read_probe(probe, storage).thresholds["tuned"]
    by_margin = neighbors.thresholds["tuned"] if neighbors else None
    return [
        Detector("probe_logit", "probe_score", 0.5, by_probe),
        Detector("nn_margin", "nn_margin", 0.0, by_margin),
    ]


def _fresh_folder(folder: Path) -> Path:
    folder = folder.absolute()
    if folder.exists() and any(folder.iterdir()) and not (folder / _MARK).exists():
        raise SettingsError(
            f"--output {folder}: holds files that the demo did not make; choose another folder"
        )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / _MARK).touch()
    return folder
