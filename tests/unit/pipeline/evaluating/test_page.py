"""`evaluation.html`: the worst mistakes by their files, and the figures that lie there."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.crawl.handmade import HERE, make_probe
from tests.unit.images.samples import encoded, picture
from tests.unit.pipeline.evaluating.rows import PLAN, scored, table
from ufd_ray.pairing import Detectors
from ufd_ray.pipeline.evaluating import page
from ufd_ray.pipeline.evaluating.evaluation import Evaluation
from ufd_ray.pipeline.evaluating.page import _drawn
from ufd_ray.pipeline.evaluating.publishing import publish
from ufd_ray.pipeline.evaluating.writing import write_figures
from ufd_ray.report import Drawn
from ufd_ray.report.figures import MOST_PANELS, spectra_figure
from ufd_ray.settings import EvaluateSettings


@pytest.fixture
def evaluation(tmp_path: Path) -> Evaluation:
    probe, out = str(make_probe(tmp_path / "probe")), str(tmp_path / "out")
    settings = EvaluateSettings(input=["/tests"], output=out, probe=probe)
    return Evaluation(settings, Detectors.read(settings.deciding, HERE), PLAN, None, HERE)


def rows_of(folder: Path) -> list[dict[str, Any]]:
    """Of both classes fifteen images, the later the worse; the worst two have a file."""
    rows = []
    for label in (0, 1):
        for number in range(15):
            score = number / 20 if label == 0 else 1 - number / 20
            name = f"{'real' if label == 0 else 'fake'}-{number:02}.png"
            own = {"image_id": name, "uri": f"{folder}/{name}", "probe_score": score}
            rows.append(scored("crawl", label, []) | own)
        (folder / name).write_bytes(encoded(picture(), "PNG"))
    return rows


def test_the_worst_mistakes_are_shown_first(
    evaluation: Evaluation, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(evaluation, [table(*rows_of(tmp_path))], {})
    data = Path(evaluation.settings.output, page.PAGE).read_bytes()
    files = json.loads(Path(evaluation.settings.output, "evaluation.json").read_text())["files"]
    (own,) = [file for file in files if file["name"] == page.PAGE]
    assert own["sha256"] == hashlib.sha256(data).hexdigest()
    text = data.decode()
    for kind, word in (("real", "most like fakes"), ("fake", "most like real images")):
        section = text.partition(word)[2].partition("<h2>")[0]
        names = [f"{kind}-{number:02}.png" for number in range(14, 2, -1)]
        places = [section.index(name) for name in names]
        assert places == sorted(places)
        assert section.count("<li>") == len(names)
        assert section.count("<img ") == 1
        assert section.index("<img ") < places[0]
        assert section.count("no thumbnail: not found") == 11
    assert "real, called fake" in text
    assert "fake, called real" in text
    assert "evaluation.html: 2 thumbnails of images" in capsys.readouterr().out


def test_without_a_gallery_no_image_is_named(evaluation: Evaluation, tmp_path: Path) -> None:
    settings = evaluation.settings.model_copy(update={"gallery": False})
    publish(replace(evaluation, settings=settings), [table(*rows_of(tmp_path))], {})
    text = Path(settings.output, page.PAGE).read_text()
    assert ".png" not in text
    assert "most like" not in text


def test_figures_are_taken_in_as_far_as_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "_ROOM", {"svg": (10, 15), "png": (20, 30)})
    (tmp_path / "figures").mkdir()
    sizes = {"a": (9, 1), "b": (11, 20), "c": (7, 11), "d": (6, 2), "e": (11, 21), "f": (2, 10)}
    files = []
    for name, of_kinds in sizes.items():
        for kind, size in zip(("png", "svg"), reversed(of_kinds), strict=True):
            (tmp_path / "figures" / f"{name}.{kind}").write_bytes(kind.encode() * size)
            files.append({"name": f"figures/{name}.{kind}", "num_bytes": size})
    assert _drawn(str(tmp_path), [*files, {"name": "tables.md", "num_bytes": 1}], HERE) == [
        Drawn("figures/a.svg", b"svg" * 9),
        Drawn("figures/b.png", b"png" * 20),  # too large as vectors
        Drawn("figures/c", None),  # as vectors there is no room, nor as pixels beside the one above
        Drawn("figures/d.svg", b"svg" * 6),
        Drawn("figures/e", None),  # too large either way
        Drawn("figures/f.png", b"png" * 10),  # there is no more room for vectors
    ]


def test_a_large_mean_spectrum_is_on_the_page_as_pixels(tmp_path: Path) -> None:
    """Of as many sets as there are panels for, with spectra that are noise to the last pixel."""
    rng = np.random.default_rng(0)
    names = [f"set {number}" for number in range(MOST_PANELS)]
    spectrum = rng.lognormal(size=(224, 224))
    panels = {(name, label): (9, spectrum) for name in names for label in (0, 1)}
    drawing = spectra_figure(panels, "Spectra of the mean high-pass image", "of noise")
    files = write_figures(str(tmp_path), {"spectra-of-mean": drawing}, HERE)
    assert _drawn(str(tmp_path), files, HERE) == [Drawn("figures/spectra-of-mean.png", drawing.png)]
