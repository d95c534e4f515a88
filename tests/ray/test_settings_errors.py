"""Settings that cannot be used: one clear line each, exit status 2, and nothing was started."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crawl.handmade import OTHER, TINY, make_bank, make_probe
from tests.crawl.runs import Ended, run_here, run_script
from ufd_ray.pipeline.build_bank import build_bank
from ufd_ray.pipeline.fit_probe import fit_probe
from ufd_ray.pipeline.score import score
from ufd_ray.pipeline.train_baseline import train_baseline
from ufd_ray.settings import (
    BuildBankSettings,
    FitProbeSettings,
    ScoreSettings,
    TrainBaselineSettings,
)

pytestmark = pytest.mark.usefixtures("nothing_starts")


@pytest.fixture(autouse=True)
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with images, a bank and a probe."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "b.png"):
        Path("images", "0_real").mkdir(parents=True, exist_ok=True)
        Path("images", "0_real", name).write_bytes(name.encode())
    Path("empty").mkdir()
    Path("file").touch()
    make_bank(Path("bank"))
    make_probe(Path("probe"))
    return tmp_path


def refused(ended: Ended) -> str:
    """The one line of the refusal."""
    assert (ended.status, ended.err.count("\n")) == (2, 1), ended.err
    assert ended.err.startswith("error: ")
    assert "Traceback" not in ended.err
    assert not list(Path("out").rglob("*/*"))
    return ended.err.removeprefix("error: ").rstrip()


def refused_score(*flags: str) -> str:
    defaults = {"--input": "images", "--output": "out", "--bank": "bank", "--k": "3"}
    given = {flag.partition("=")[0] for flag in flags}
    filled = [f"{name}={value}" for name, value in defaults.items() if name not in given]
    return refused(run_here(ScoreSettings, score, *filled, *(f for f in flags if f[-1] != "-")))


def test_no_such_prefix() -> None:
    assert refused_score("--input=nowhere").startswith("--input nowhere: nothing there")


def test_empty_prefix() -> None:
    assert refused_score("--input=empty").startswith("--input empty: nothing there")


def test_all_left_out() -> None:
    said = refused_score("--include=*.jpg")
    assert said == "--input images: no images (2 left out by --include/--exclude)"


def test_unknown_flag() -> None:
    assert refused_score("--outptu=x") == "unknown argument '--outptu=x'; did you mean --output?"


def test_neither_bank_nor_probe() -> None:
    said = refused(run_here(ScoreSettings, score, "--input=images", "--output=out"))
    assert said == "neither --bank nor --probe is given: at least one has to decide"


def test_bank_and_probe_of_different_encoders() -> None:
    make_probe(Path("other"), OTHER)
    said = refused_score("--probe=other")
    assert "bank bank and probe other were made by different encoders" in said
    for identity in (TINY, OTHER):
        assert f"by {identity.spec} (encoder_id {identity.encoder_id})" in said


def test_a_threshold_that_was_never_found() -> None:
    said = refused_score("--probe=probe", "--threshold=max-fpr")
    assert said.startswith("--threshold max-fpr: probe probe has none: nothing was looked for")
    assert "jobs/calibrate.py --probe probe" in said
    said = refused_score("--decide-by=margin", "--unsure-above=tuned")
    assert said.startswith(
        "--unsure-above tuned: the margin of bank bank has none, for there is no"
    )


def test_unsure_above_the_threshold() -> None:
    said = refused_score("--probe=probe", "--threshold=0.5", "--unsure-above=0.6")
    assert said.endswith("the threshold (0.5) is 0.5: it has to lie below it")


def test_bank_missing() -> None:
    assert refused_score("--bank=nowhere") == "--bank nowhere: there is no bank.json"


def test_probe_missing() -> None:
    assert refused_score("--probe=nowhere") == "--probe nowhere: there is no probe.json"


def test_k_larger_than_the_bank() -> None:
    assert refused_score("--k=7") == "--k 7: the bank has only 6 images to search"


def test_output_below_a_file() -> None:
    said = refused_score("--output=file")
    assert said.startswith("--output file")
    assert "Not a directory" in said


def test_cuda_without_a_gpu() -> None:
    assert refused_score("--device=cuda").startswith(
        "device cuda was asked for, and no GPU is available"
    )


def test_half_precision_on_a_cpu() -> None:
    assert refused_score("--precision=fp16").startswith("precision fp16 is for GPUs")


def test_no_such_weights() -> None:
    assert refused_score("--weights=no.pt").startswith("there are no weights at no.pt")


def test_a_bank_that_was_edited() -> None:
    document = Path("bank", "bank.json")
    document.write_text(document.read_text().replace("test_resnet", "test_vit"))
    assert f"its encoder_id is '{TINY.encoder_id}'" in refused_score()


def test_unknown_encoder() -> None:
    flags = ("--input=images", "--output=out", "--encoder=timm/resnet51:random:1")
    said = refused(run_here(BuildBankSettings, build_bank, *flags))
    assert said.startswith("timm has no architecture 'resnet51' (close: ")


def test_a_bank_needs_both_labels() -> None:
    flags = ("--input=images", "--output=out", "--encoder=timm/test_resnet:random:1")
    said = refused(run_here(BuildBankSettings, build_bank, *flags))
    assert said == "--input: 2 real and 0 fake images; both are needed"


def test_a_bank_needs_labels() -> None:
    Path("images", "0_real").rename("images/unsorted")
    flags = ("--input=images", "--output=out", "--encoder=timm/test_resnet:random:1")
    said = refused(run_here(BuildBankSettings, build_bank, *flags))
    assert "2 images have no label" in said


def test_the_paper_recipe_needs_held_out_images() -> None:
    flags = ("--bank=bank", "--output=out", "--recipe=paper")
    said = refused(run_here(FitProbeSettings, fit_probe, *flags))
    assert said.startswith("--recipe paper stops by held-out images, and the bank bank has none")


def test_every_fault_of_one_command_line_is_said(tmp_path: Path) -> None:
    ended = run_here(ScoreSettings, score, "--input=images", "--k=0", "--limit=x", "--bank=bank")
    assert ended.status == 2
    assert sorted(line.split()[1].rstrip(":") for line in ended.err.splitlines()) == [
        "--k", "--limit", "--output",
    ]  # fmt: skip


def test_as_a_process_of_its_own(tmp_path: Path) -> None:
    flags = (f"--input={tmp_path / 'images'}", f"--output={tmp_path / 'out'}")
    ended = run_script("score", *flags, f"--bank={tmp_path / 'nowhere'}")
    assert ended.status == 2
    assert ended.out == ""
    assert ended.err == f"error: --bank {tmp_path / 'nowhere'}: there is no bank.json\n"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--baseline=spectre", "'spectre' is no baseline (close: spectrum)"),
        ("--baseline=spectrum --arch=resnet9", "'resnet9' is no architecture of spectrum"),
        ("--baseline=spectrum --option=offset=1", "'offset' is no option of spectrum"),
        ("--baseline=co-occurrence --option=offset=999", "'999' is no offset of co-occurrence"),
        (
            "--baseline=co-occurrence --weights=a.pt",
            "--weights a.pt: co-occurrence is trained from",
        ),
        ("--baseline=spectrum --weights=gone.pt", "gone.pt"),
        ("--baseline=spectrum --weights=random:x", "'x' is no seed"),
        ("--baseline=spectrum --output=images/out", "--output images/out lies within --input"),
        ("--baseline=patch-resnet50-layer1 --batch-size=9", "--batch-size 9: half of each batch"),
        ("--baseline=co-occurrence", "--input: 2 real and 0 fake images; both are needed"),
        ("--baseline=co-occurrence --dry-run", "--input: 2 real and 0 fake images"),
    ],
)
def test_a_baseline_that_cannot_be_trained(flags: str, said: str) -> None:
    given = ["--input=images", *([] if "--output" in flags else ["--output=out"])]
    message = refused(run_here(TrainBaselineSettings, train_baseline, *given, *flags.split()))
    assert said in message
