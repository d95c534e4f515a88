"""Test sets as they are listed, and what of them is refused before anything is encoded."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.unit.images.samples import encoded, picture
from ufd_ray.errors import SettingsError
from ufd_ray.pipeline.evaluating.listed_sets import TEST_SET, ListedSets
from ufd_ray.pipeline.evaluating.sampled import SampledImages
from ufd_ray.pipeline.inputs import list_inputs, rehearse
from ufd_ray.settings import EvaluateSettings
from ufd_ray.storage import StorageOptions

HERE = StorageOptions()


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The paper's layout: a set nested by class, one that borrows real images, and half of one."""
    monkeypatch.chdir(tmp_path)
    for folder in (
        *("tests/progan/car/0_real", "tests/progan/cat/1_fake", "tests/dalle/1_fake"),
        *("tests/laion/0_real", "tests/half/1_fake"),
    ):
        Path(folder).mkdir(parents=True)
        for number in range(2):
            Path(folder, f"{number}.png").write_bytes(encoded(picture(seed=number), "PNG"))


def manifest(name: str, rows: list[tuple[str, Any, str]]) -> str:
    with open(name, "w", newline="") as file:
        csv.writer(file).writerows([("uri", "label", "source"), *rows])
    return name


def settings(**given: Any) -> EvaluateSettings:
    return EvaluateSettings(**{"input": "tests", "output": "out", "probe": "probe"} | given)


def listed(**given: Any) -> dict[str, str]:
    """Each image below the working directory → its set."""
    chosen = settings(**given)
    sets = ListedSets(chosen.input)
    list_inputs(chosen, "manifest", HERE, labelled=True, sets=sets)
    rows = pq.read_table("manifest").to_pylist()
    here = f"{Path.cwd()}/"
    sets.tell()
    return {row["uri"].removeprefix(here): row[TEST_SET] for row in rows}


def test_folders_of_the_papers_layout(capsys: pytest.CaptureFixture[str]) -> None:
    names = listed()
    assert names["tests/progan/car/0_real/0.png"] == names["tests/progan/cat/1_fake/1.png"]
    assert sorted(set(names.values())) == ["dalle", "half", "laion", "progan"]
    assert capsys.readouterr().out.splitlines() == [
        "10 images listed",
        "set half is left out: 2 fake images and no real one",
        "2 test sets: progan, dalle",
    ]


def test_a_manifest_and_folders_together(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [("tests/half/1_fake/0.png", 1, "mine"), ("tests/laion/0_real/0.png", 0, "mine")]
    names = listed(input=[manifest("some.csv", rows), "tests"])
    # Of an image that is named twice the first mention counts.
    assert names["tests/half/1_fake/0.png"] == "mine"
    assert names["tests/half/1_fake/1.png"] == "half"
    assert capsys.readouterr().out.endswith("3 test sets: progan, dalle, mine\n")


def test_any_split_is_welcome_and_columns_called_as_ours_are_left_out() -> None:
    ours = (TEST_SET, "nn_mean_margin_k1")
    rows = [("uri", "label", "source", "split", *ours, "theirs")]
    files = [f"tests/half/1_fake/{n}.png" for n in range(2)]
    rows += [(file, str(n), "mine", "test", "x", "x", "x") for n, file in enumerate(files)]
    with open("some.csv", "w", newline="") as file:
        csv.writer(file).writerows(rows)
    names = listed(input="some.csv")
    assert set(names.values()) == {"mine"}
    kept = pq.read_table("manifest").column_names
    assert {"theirs", *ours} & set(kept) == {"theirs", TEST_SET}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [("tests/half/1_fake/0.png", 1, "")],
            "nothing says in which test set .*half/1_fake/0.png",
        ),
        ([("tests/half/1_fake/0.png", "", "mine")], "--input: 1 images have no label"),
        ([("tests/half/1_fake/0.png", 1, "mean/all")], "may not be called mean/all"),
        (
            [("tests/half/1_fake/0.png", 1, "mine")],
            r"no test set has both .*\(mine: 1 fake images and no",
        ),
    ],
)
def test_what_cannot_be_judged_is_refused(rows: list[tuple[str, Any, str]], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        listed(input=manifest("some.csv", rows))


def test_the_dry_run_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    sampled = SampledImages(0)
    sets = ListedSets(["tests"], sampled)
    rehearse(settings(), "crop", 8, HERE, labelled=True, sets=sets)
    sets.tell()
    assert len(sampled.of_sets(sets.plan)) == 8  # all but the half
    assert "set half is left out" in capsys.readouterr().out
    Path("tests/half/1_fake").rename("tests/half/odd")
    with pytest.raises(SettingsError, match="no label"):
        rehearse(settings(), "crop", 8, HERE, labelled=True, sets=ListedSets(["tests"]))
