"""A run's images → galleries with thumbnails: what is read again, and what is said of the rest."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.unit.images.samples import encoded, picture
from tests.unit.pipeline.reporting.rows import DETECTORS, row, table
from ufd_ray.pipeline.reporting import thumbnails
from ufd_ray.pipeline.reporting.cards import make_galleries
from ufd_ray.pipeline.reporting.survey import Survey
from ufd_ray.pipeline.reporting.thumbnails import Looking
from ufd_ray.report import SIDE, Gallery, Picture
from ufd_ray.settings import ScoreSettings
from ufd_ray.storage import Known, StorageOptions, image_id

HERE = StorageOptions()
OPEN = ExitStack()


def looking(longest_s: float = 60.0, **given: Any) -> Looking:
    settings = ScoreSettings(**{"input": ["/x"], "output": "/out", "probe": "/probe"} | given)
    return OPEN.enter_context(Looking(settings, HERE, longest_s))


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    OPEN.close()


def galleries(
    rows: list[dict[str, Any]], look: Looking | None, bank: str = "/bank"
) -> dict[str, Gallery]:
    survey = Survey(DETECTORS)
    survey.add(table(*rows))
    found = make_galleries(survey.picks(), {}, look, "nobody looked", bank)
    return {gallery.title: gallery for gallery in found}


def near(uri: str, label: int, named: str | None = None) -> dict[str, Any]:
    return {
        "image_id": image_id(named or uri),
        "uri": uri,
        "label": label,
        "source": "sd",
        "similarity": 0.75,
    }


def shown(found: Picture) -> tuple[Any, ...]:
    assert found.jpeg is not None
    with Image.open(io.BytesIO(found.jpeg)) as image:
        return (image.size, np.asarray(image)[40:80, 40:80].mean(axis=(0, 1)).round(-1).tolist())


def test_images_and_evidence_are_read_again(tmp_path: Path) -> None:
    red, blue = tmp_path / "<img src=x onerror=alert(1)>.png", tmp_path / "blue.png"
    Image.new("RGB", (300, 200), (200, 0, 0)).save(red)
    Image.new("RGB", (8, 8), (0, 0, 200)).save(blue)
    neighbors = [near(str(blue), 1), near(str(tmp_path / "gone.png"), 0), near("/a.tar", 0, "/a")]
    rows = [row(0, 0.9, uri=str(red), neighbors=neighbors, vote=0.25, out_of_bank=True)]
    (card,) = galleries(rows, looking())["Most suspicious"].cards
    assert shown(card.picture) == ((SIDE, SIDE), [200, 0, 0])
    assert card.name == str(red)
    assert card.said == (
        "called fake",
        "probe 0.900 · neighbours’ vote 0.250 · neighbours’ margin -0.250",
        "unlike all that the bank holds",
    )
    pictures = [one.picture for one in card.neighbors]
    assert pictures[0].jpeg is not None
    assert [one.why_not for one in pictures[1:]] == ["not found", "lies in an archive"]
    assert [(one.label, one.distance) for one in card.neighbors] == [
        (1, 0.25),
        (0, 0.25),
        (0, 0.25),
    ]


def test_what_cannot_be_shown_says_why(tmp_path: Path) -> None:
    files = {"broken.png": encoded(picture(), "PNG")[:60], "empty": b"", "text": b"<svg/>"}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    wanted = [Known(str(tmp_path / name)) for name in (*files, "gone")]
    wanted += [
        Known("https://h.example/a.png"),
        Known("ftp://h/a.png"),
        Known("/a.tar", member="b"),
    ]
    changed = tmp_path / "changed.png"
    changed.write_bytes(encoded(picture(), "PNG"))
    wanted.append(Known(str(changed), size_bytes=5))
    found = looking().look(wanted, SIDE)
    assert {one.jpeg for one in found} == {None}
    assert [one.why_not for one in found] == [
        *("truncated", "empty", "unsupported", "not found"),
        *("forbidden", "forbidden", "not found", "changed"),
    ]


def test_after_its_time_no_image_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(encoded(picture(), "PNG"))
    clock = iter([0.0, 1.0, 1.0, 10.0])  # made; a batch, its image; the next batch
    monkeypatch.setattr(thumbnails, "monotonic", lambda: next(clock))
    monkeypatch.setattr(thumbnails, "_AT_ONCE", 1)
    first, second = looking(longest_s=5.0).look([Known(str(file))] * 2, SIDE)
    assert first.jpeg is not None
    assert (second.jpeg, second.why_not) == (None, "not read within 5 s")


def test_large_files_are_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(encoded(picture(), "PNG"))
    monkeypatch.setattr(thumbnails, "_MOST_BYTES", 10)
    (found,) = looking().look([Known(str(file))], SIDE)
    assert found.why_not == "too many bytes"


def test_without_thumbnails_all_the_rest_is_there() -> None:
    rows = [row(0, 0.9, neighbors=[near("/bank/a.png", 1)]), row(1, 0.1, member="b.png")]
    found = galleries(rows, None)
    assert [len(gallery.cards) for gallery in found.values()] == [2, 2, 1, 2]
    (apart,) = found["Where probe and neighbours disagree most"].cards
    assert apart.picture == apart.neighbors[0].picture == Picture(why_not="nobody looked")
    assert found["Most suspicious"].cards[1].name == "s3://crawl/1.png → b.png"


def test_a_bank_names_images_as_a_manifest_may(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(encoded(picture(), "PNG"))
    rows = [row(0, 0.9, neighbors=[near(str(file), 1), near("https://h.example/a.png", 0)])]
    refused = "of a place that this bank may not name"
    for bank, expected in (("/bank", ["", refused]), ("s3://models/bank", [refused, refused])):
        (card,) = galleries(rows, looking(), bank)["Most suspicious"].cards
        assert [one.picture.why_not for one in card.neighbors] == expected
