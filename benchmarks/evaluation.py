"""Everything that `jobs/evaluate.py` can do, by one command, on pictures made for it.

    python benchmarks/evaluation.py --output FOLDER [--baselines]

The demo's generators stand in the paper's layout under the paper's names, so that its tables and
groups are filled; the pictures are not the paper's, and neither are the figures. A bank and a probe
are made of one of them (`progan`), and a second bank of another (`dalle`); a third has the first's
pictures by another encoder, of random weights. Then one `evaluate` has all sets, all sweeps, all
figures and the page. What each command took is said.

With `--baselines` the paper's other detectors, each in a small variant and all but one from random
numbers on, are trained on what bank and probe are made of, and judged beside them; nothing is swept
then.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path

from PIL import Image

from ufd_ray.baselines import BASELINES
from ufd_ray.demo.pictures import GENERATORS, draw_crops

ROOT = Path(__file__).parents[1]
KEYS = ("progan", "cyclegan", "biggan", "guided", "dalle")
"""Under which the generators stand, in their order."""
REALS = {"guided": "imagenet", "dalle": "laion"}
"""Folders of their real images, where those are not beside the fakes."""
OTHER_BANKS = {
    "of-dalle": ("dalle", "lite0"),
    "by-another-encoder": ("progan", "timm/mobilenetv3_small_050:random:1"),
}
"""Of which generator, by which encoder."""
SWEEPS = [
    *("--sweep-jpeg", "--sweep-blur", "--sweep-preprocess"),
    *(f"--sweep-train-size={size}" for size in (50, 100, 200)),
]

RANDOM = ("--arch=timm/test_resnet", "--weights=random:1")
FEW = ("--epochs=12", "--batch-size=16")  # few images: more steps of each epoch
SLOWLY = ("--epochs=16", "--batch-size=8", "--learning-rate=3e-4")  # at 1e-3 it learns nothing
SMALL: dict[str, tuple[str, ...]] = {
    "resnet50-blur-jpeg-0.1": (*RANDOM, *FEW),
    "resnet50-blur-jpeg-0.5": (*RANDOM, *FEW),
    "clip-vit-l14-tuned": ("--arch=timm/tf_efficientnet_lite0", *FEW),  # the bank's own, unfrozen
    "patch-resnet50-layer1": ("--arch=resnet18-layer1", *FEW),
    "patch-xception-block2": ("--arch=xception-block1", *SLOWLY),
    "co-occurrence": ("--arch=conv-8-16-32", *FEW),
    "spectrum": (*RANDOM, *FEW),
}
"""What two cores train within minutes, without a hub."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--num-images", type=int, default=60, help="of each class of each set")
    parser.add_argument("--output", type=Path, required=True, help="a new folder")
    parser.add_argument("--baselines", action="store_true", help="instead of sweeps")
    asked = parser.parse_args()
    root: Path = asked.output.absolute()
    root.mkdir(parents=True)
    make_sets(root / "test", asked.num_images, seed=1)
    others = {} if asked.baselines else OTHER_BANKS
    for key in ("progan",) if asked.baselines else ("progan", "dalle"):
        make_set(root / "train" / key, key, 2 * asked.num_images, seed=0)
    for name, (key, encoder) in ({"of-progan": ("progan", "lite0")} | others).items():
        images, bank = root / "train" / key, root / "banks" / name
        run("build_bank", "--input", images, "--encoder", encoder, "--output", bank)
    bank, probe = root / "banks" / "of-progan", root / "probe"
    run("fit_probe", "--bank", bank, "--output", probe)
    if asked.baselines:
        further = train_baselines(root / "train" / "progan", root / "baselines")
    else:
        further = SWEEPS + [f"--compare-bank={name}={root / 'banks' / name}" for name in others]
    run(
        *("evaluate", "--input", root / "test", "--bank", bank, "--probe", probe),
        *further,
        *("--output", root / "evaluation"),
    )
    shutil.rmtree(root / "train")


def train_baselines(images: Path, folder: Path) -> list[str]:
    """Train all of them; what `evaluate` is told of them."""
    for name in BASELINES:
        flags = ("--baseline", name, "--input", images, "--output", folder / name, *SMALL[name])
        run("train_baseline", *flags)
    return [f"--compare-baseline={name}={folder / name}" for name in BASELINES]


def make_sets(folder: Path, num_images: int, seed: int) -> None:
    """All test sets as the paper's authors lay theirs out."""
    for number, key in enumerate(KEYS):
        make_set(folder / key, key, num_images, seed + number, reals=REALS.get(key))


def make_set(folder: Path, key: str, num_images: int, seed: int, reals: str | None = None) -> None:
    """Crops of photographs, and other crops through a generator."""
    generate = list(GENERATORS.values())[KEYS.index(key)]
    crops = draw_crops([seed, 2], 2 * num_images)
    real, fake = crops[:num_images], crops[num_images:]
    of_real = folder if reals is None else folder.parent / reals
    save(of_real / "0_real", real)
    save(folder / "1_fake", [generate(crop) for crop in fake])


def save(folder: Path, pictures: list[Image.Image]) -> None:
    folder.mkdir(parents=True)
    for number, picture in enumerate(pictures):
        picture.save(folder / f"{number:04d}.png", compress_level=1)


def run(job: str, *arguments: object) -> None:
    """One job as a process of its own."""
    begun = time.perf_counter()
    command = [sys.executable, str(ROOT / "jobs" / f"{job}.py"), *map(str, arguments)]
    subprocess.run(command, check=True)
    print(f"{job}: {time.perf_counter() - begun:.1f} s", flush=True)


if __name__ == "__main__":
    main()
