"""A run's page, end to end: names that are markup stay names, thumbnails are made of pixels."""

from __future__ import annotations

import base64
import io
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.crawl.handmade import TINY, make_bank, make_probe
from tests.crawl.runs import Ended, run_here
from tests.unit.images.samples import noise
from tests.unit.report.test_run_page import Page
from ufd_ray.encoders import Encoder, EncoderSpec
from ufd_ray.pipeline.score import score
from ufd_ray.report import SIDE
from ufd_ray.settings import ScoreSettings

HOSTILE = "<img src=x onerror=alert(1)>.jpg"
SECRET = b"taken at home"


@dataclass(frozen=True)
class Paged:
    """A run of a few images.

    Attributes:
        root: of everything.
        ended: how it ended.
        page: its `report.html`.
    """

    root: Path
    ended: Ended
    page: str


@pytest.fixture(scope="module")
def paged(ray_cluster: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Paged:
    root = tmp_path_factory.mktemp("paged")
    crawl = root / "crawl"
    crawl.mkdir()
    (crawl / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    for number, name in enumerate((HOSTILE, "plain.jpg", '"onload="x.png')):
        kind = "PNG" if name.endswith("png") else "JPEG"
        more = {} if kind == "PNG" else {"comment": SECRET}
        small = Image.fromarray(noise(4, 4, seed=number))
        small.resize((300, 200), Image.Resampling.BICUBIC).save(crawl / name, kind, **more)
    with tarfile.open(root / "shard.tar", "w") as tar:
        tar.add(crawl / "broken.jpg", "first.jpg")
        tar.add((crawl / "plain.jpg").rename(root / "plain.jpg"), "plain.jpg")
    (crawl / "<script>alert(1)<.jpg").write_bytes(b"no image")
    identity = Encoder.load(EncoderSpec.parse(f"{TINY.arch}:{TINY.weights}")).identity
    bank, probe = make_bank(root / "bank", identity), make_probe(root / "probe", identity)
    flags = (f"--input={crawl}", f"--input={root}/shard.tar")
    flags += (f"--bank={bank}", f"--probe={probe}", f"--output={root}", "--k=3")
    ended = run_here(ScoreSettings, score, *flags, "--run-id=a", "--max-error-rate=1")
    return Paged(root, ended, (root / "runs/a/report.html").read_text())


def test_names_that_are_markup_are_shown_as_names(paged: Paged) -> None:
    assert paged.ended.status == 0, paged.ended.err
    page = Page(paged.page)
    assert page.open == []
    assert HOSTILE in page.text
    assert '"onload="x.png' in page.text
    assert {"script", "a", "link", "iframe", "object", "form"}.isdisjoint(page.tags)
    names = {name for name, _ in page.attributes}
    assert not any(name.startswith("on") or name in ("href", "style") for name in names)
    assert all(value.startswith("data:image/jpeg;base64,") for value in sources(page))


def sources(page: Page) -> list[str]:
    return [value or "" for name, value in page.attributes if name == "src"]


def test_thumbnails_are_the_images_and_nothing_of_their_files(paged: Paged) -> None:
    section = paged.page.partition("Most suspicious")[2].partition("<h2>")[0]
    found = [base64.b64decode(data) for data in re.findall(r"base64,([^\"]+)", section)]
    assert len(found) == 3
    wanted = []
    for path in (*(paged.root / "crawl").iterdir(), paged.root / "plain.jpg"):
        data = path.read_bytes()
        if path.name.endswith(("alert(1)>.jpg", "plain.jpg", "x.png")):
            assert (SECRET in data) == path.name.endswith("jpg")
            with Image.open(io.BytesIO(data)) as image:
                middle = image.convert("RGB").crop((50, 0, 250, 200)).resize((SIDE, SIDE))
            wanted.append(np.asarray(middle, np.float64))
    for data in found:
        assert SECRET not in data
        with Image.open(io.BytesIO(data)) as image:
            pixels = np.asarray(image, np.float64)
        assert min(float(np.abs(pixels - one).mean()) for one in wanted) < 6


def test_all_sections_are_there(paged: Paged) -> None:
    text = Page(paged.page).text
    for words in (
        "There is no earlier run here with the same detectors",
        f"{paged.root}/crawl/ 4 2 ",
        "shard.tar → plain.jpg",
        "Probe and neighbours disagree on ",
        "Most unsure",
        "A sample over all scores",
        "no thumbnail: lies in an archive",
        "The largest part, ",
    ):
        assert words in text, words
    assert re.search(r"report\.html: \d+ thumbnails of images \(--no-gallery", paged.ended.out)
