"""Pictures → bank → probe → crawl → scores → table, by the same functions as the jobs."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pyarrow.parquet as pq

from ufd_ray.demo.pictures import crawl_pictures, training_pictures, write_manifest
from ufd_ray.demo.table import render
from ufd_ray.errors import SettingsError
from ufd_ray.outcome import Outcome
from ufd_ray.pipeline.build_bank import build_bank
from ufd_ray.pipeline.fit_probe import fit_probe
from ufd_ray.pipeline.score import score
from ufd_ray.settings import BuildBankSettings, DemoSettings, FitProbeSettings, ScoreSettings

_MARK = ".made-by-ufd-ray-demo"

_MEANING = """
What this shows: the whole path, with a real pretrained encoder. It learned from one "generator"
and is asked about four that it never saw. AP stays high: fakes are ranked above photographs. The
accuracy at 0.5 falls much more: the threshold does not carry over. That is the paper's own picture.

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
    write_manifest(train, training_pictures(root / "training", settings.num_crops, settings.seed))
    write_manifest(crawl, crawl_pictures(root / "crawl", settings.num_crops // 4, settings.seed))
    bank, probe = str(root / "bank"), str(root / "probe")
    print("\n2. Encoding the training images into a feature bank")
    build_bank(BuildBankSettings(input=[str(train)], encoder="lite0", output=bank))
    print("\n3. Fitting the linear probe on the bank")
    fit_probe(FitProbeSettings(bank=bank, output=probe))
    print("\n4. Scoring the crawl, five broken files in it")
    run = ScoreSettings(input=[str(crawl)], output=str(root), bank=bank, probe=probe, run_id="demo")
    outcome = score(run)
    folder = root / "runs" / "demo"
    print("\n5. What came out, as read from the published Parquet\n")
    print(render(pq.read_table(folder / "scores")))
    print(_MEANING)
    print(f"Scores:  {folder}/scores/\nReport:  {folder}/report.html\nRecord:  {folder}/run.json")
    print(f"{time.monotonic() - begun:.0f} s in all")
    return outcome


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
