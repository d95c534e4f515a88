"""Baselines as an evaluation finds them, and where they say that images look generated."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import safetensors.torch

from tests.crawl.handmade import HERE
from tests.unit.baselines.networks import seeded
from tests.unit.images.samples import encoded, picture
from ufd_ray.baselines import baseline_named
from ufd_ray.errors import SettingsError
from ufd_ray.evaluation import Row
from ufd_ray.pipeline.comparing.checking import objection_to
from ufd_ray.pipeline.comparing.compared import (
    Compared,
    describe_compared,
    read_compared,
    section_of,
)
from ufd_ray.pipeline.comparing.heat import heat_by
from ufd_ray.pipeline.evaluating.sections import sections_of
from ufd_ray.pipeline.reporting.thumbnails import Looking
from ufd_ray.report import Card, Gallery, count_pictures
from ufd_ray.report.gallery import tell_gallery
from ufd_ray.settings import EvaluateSettings
from ufd_ray.storage import Known, write_document, write_network

NAME, ARCH = "patch-resnet50-layer1", "resnet18-layer1"

OF_SOURCES = {
    "starts_from": f"{ARCH}:random:1",
    "is_published": True,
    "counts": {"train": {"source": dict.fromkeys(["seeingdark", "<b>", *"cdefg"], 1)}},
}


def save(folder: Path, **changes: Any) -> Path:
    """A baseline that nobody has trained."""
    file = folder.parent / "network.safetensors"
    safetensors.torch.save_file(seeded(baseline_named(NAME, ARCH)).state_dict(), file)
    content = {
        "name": NAME,
        "arch": ARCH,
        "options": {"scoring": "votes"},
        "starts_from": None,
        "is_published": False,
        "thresholds": {"default": 0.5, "tuned": 0.125},
        "counts": {"train": {"source": {}}},
        "settings": {"input": ["/data/progan/0_real", "/data/progan/1_fake"]},
        "network": write_network(str(folder), file, HERE),
    }
    write_document(str(folder), "baseline.json", content | changes, HERE)
    return folder


def settings(*named: str) -> EvaluateSettings:
    return EvaluateSettings(input=["/i"], output="/o", probe="/p", compare_baseline=[*named])


def test_they_are_read_in_the_order_given(tmp_path: Path) -> None:
    one, two = save(tmp_path / "one"), save(tmp_path / "two", **OF_SOURCES)
    found = read_compared(settings(f"b={one}", f"a={two}"), HERE)
    columns = [(c.column.name, c.column.default, c.column.tuned) for c in found]
    assert columns == [("baseline_b", 0.5, 0.125), ("baseline_a", 0.5, 0.125)]
    assert found[0].baseline.options == {"scoring": "votes"}
    sources = r"trained on sitd, \<b\>, c, d, e, 2 more"
    assert section_of(found) == [
        "## Baselines",
        "",
        f"- b: {NAME}, {ARCH}, scoring votes (not as published); trained on progan",
        f"- a: {NAME}, {ARCH}, scoring votes, starting from random:1 (as published); {sources}",
    ]
    described = describe_compared(found)
    assert described is not None
    assert described["b"]["uri"] == str(one)
    assert described["a"]["sources"][0] == "seeingdark"
    assert (section_of(()), describe_compared(())) == ([], None)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "patch-xception-block2", "arch": "xception-block1"},
        {"options": {"scoring": "mean-logits"}},
        {"is_published": True},
        {"starts_from": "resnet18:random:2"},
        {"thresholds": {"default": 0.5, "tuned": 0.25}},
        {"counts": {"train": {"source": {"ldm_200": 1}}}},
        {"settings": {"input": ["/data/ldm_200"]}},
    ],
)
def test_what_decides_an_evaluation_is_compared(tmp_path: Path, changes: dict[str, Any]) -> None:
    """Whatever of it the document says, with the same network; not where it lies."""
    folders = save(tmp_path / "one"), save(tmp_path / "two"), save(tmp_path / "three", **changes)
    one, moved, other = read_compared(
        settings(*(f"{n}={folder}" for n, folder in enumerate(folders))), HERE
    )
    assert one.content == moved.content == json.loads(json.dumps(one.content))
    assert one.content["sha256"] == other.content["sha256"]
    assert one.content != other.content


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"settings": {"input": ["ftp://host/progan"]}}, "'ftp://host/progan'"),
        ({"name": "nobody"}, "'nobody' is no baseline"),
        ({"arch": "resnet9"}, "is no architecture"),
    ],
)
def test_one_that_nobody_knows_is_refused(
    tmp_path: Path, changes: dict[str, Any], complaint: str
) -> None:
    folder = save(tmp_path / "one", **changes)
    with pytest.raises(SettingsError, match=f"--compare-baseline a={folder}: .*{complaint}"):
        read_compared(settings(f"a={folder}"), HERE)


@pytest.fixture
def compared(tmp_path: Path) -> Compared:
    (one,) = read_compared(settings(f"a={save(tmp_path / 'one')}"), HERE)
    return one


def test_its_map_is_drawn_of_images_that_can_be_read(compared: Compared, tmp_path: Path) -> None:
    assert compared.baseline.has_heat
    assert not baseline_named("co-occurrence").has_heat
    assert not compared.baseline.has_features
    assert baseline_named("co-occurrence").has_features
    sound, broken = tmp_path / "sound.png", tmp_path / "broken.png"
    sound.write_bytes(encoded(picture(60, 40), "PNG"))
    broken.write_bytes(sound.read_bytes()[:90])
    wanted = [Known(str(path)) for path in (sound, broken, tmp_path / "gone.png")]
    with Looking(settings("a=/b"), HERE) as looking:
        shown, *others = heat_by(compared, looking, HERE)(wanted)
    assert shown.jpeg
    assert [(one.jpeg, one.why_not) for one in others] == [(None, "truncated"), (None, "not found")]
    card = Card("/sound.png", ("fake, called real",), shown, heat=shown)
    gallery = Gallery("Mistakes", "all", (card,))
    assert count_pictures([gallery]) == 2
    page = "".join(tell_gallery(gallery))
    assert page.count("<img ") == 2
    assert 'alt="where it looks generated: yellow"' in page


def test_a_network_that_cannot_be_used_is_named_before_it_is(
    compared: Compared, tmp_path: Path
) -> None:
    assert objection_to(compared, HERE) is None
    file = tmp_path / "one" / "baseline.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    said = objection_to(compared, HERE)
    assert said is not None
    assert said.startswith(f"--compare-baseline a={tmp_path / 'one'}: ")
    assert "is damaged" in said


def test_without_its_network_each_map_says_why(
    compared: Compared, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "one" / "baseline.safetensors").unlink()
    with Looking(settings("a=/b"), HERE) as looking:
        shown = heat_by(compared, looking, HERE)([Known("/one.png"), Known("/two.png")])
    assert [(one.jpeg, one.why_not) for one in shown] == [
        (None, "the network of a cannot be read")
    ] * 2
    told = capsys.readouterr().out
    assert told.startswith("warning: baseline a has no maps on the page: ")
    assert told.endswith("there is no such file\n")


@pytest.mark.parametrize("is_published", [True, False])
def test_the_papers_figures_stand_under_the_published_one(
    compared: Compared, is_published: bool
) -> None:
    info = replace(compared.info, name="resnet50-blur-jpeg-0.5", is_published=is_published)
    one = replace(compared, info=info)
    evaluation: Any = SimpleNamespace(compared=(one,), detectors=SimpleNamespace(bank=None))
    metrics = ("accuracy", "accuracy_real", "accuracy_fake")
    rows = [Row("guided", one.column.name, name, 0.75, None, None, 9, 9) for name in metrics]
    _, by_class = sections_of(evaluation, rows, [one.column])
    assert ("the paper's trained network" in "".join(by_class)) == is_published
