"""`--dry-run`: every setting is checked and one image read; nothing is started, nothing is left."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.crawl.handmade import TINY, make_bank, make_probe
from tests.crawl.runs import Ended, run_here
from ufd_ray.pipeline.score import score
from ufd_ray.settings import ScoreSettings

pytestmark = pytest.mark.usefixtures("nothing_starts")


@pytest.fixture(autouse=True)
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of three images."""
    monkeypatch.chdir(tmp_path)
    make_bank(Path("bank"))
    make_probe(Path("probe"))
    folder = Path("images")
    folder.mkdir()
    for name in "abc":
        Image.new("RGB", (30, 20), (1, 2, 3)).save(folder / f"{name}.png")
    return folder


def rehearse(*flags: str) -> Ended:
    always = ("--dry-run", "--input=images", "--output=out", "--bank=bank", "--probe=probe")
    ended = run_here(ScoreSettings, score, *always, "--k=3", *flags)
    assert not list(Path("out").rglob("*/*"))
    return ended


def test_it_says_what_it_found_and_leaves_nothing_behind(images: Path) -> None:
    ended = rehearse("--run-id=trial")
    assert (ended.status, ended.err) == (0, "")
    line, bank, first, *_, listed, read, last = ended.out.splitlines()
    assert line == "fake where the probe score is over 0.5 (default)"
    assert bank.startswith("out_of_bank stays null: the bank does not say")
    encoder = f"encoder {TINY.spec} on cpu in fp32: device auto took cpu: no GPUs available"
    assert first.startswith(encoder)
    assert [listed, read, last] == [
        "3 images listed",
        f"read {images.absolute()}/a.png: PNG, 30×20 pixels",
        "dry run: settings, input and output can be used; nothing was scored",
    ]


def test_limit_counts(images: Path) -> None:
    assert "\n2 images listed\n" in rehearse("--limit=2").out


def test_a_broken_first_image_is_said(images: Path) -> None:
    (images / "a.png").write_bytes(b"")
    assert f"read {images.absolute()}/a.png: empty: the file has no bytes\n" in rehearse().out


def test_no_images_are_unusable_settings() -> None:
    ended = rehearse("--exclude=*")
    assert ended.status == 2
    assert "no images (3 left out" in ended.err


def test_settings_come_from_a_file_and_flags_win() -> None:
    Path("job.yaml").write_text("limit: 1\nmax-error-rate: 0.5\nexclude: ['a.*']\n")
    out = rehearse("--config=job.yaml").out
    assert "\n1 images listed · 1 left out by --include/--exclude\n" in out
    assert "/b.png: PNG" in out
    assert "\n2 images listed" in rehearse("--config=job.yaml", "--limit=2").out
