"""Test sets in the paper's layout, through Ray: the same figures as without, all accounted for."""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.crawl.handmade import HERE, make_bank, make_probe
from tests.crawl.runs import Ended, read_folder, run_here
from tests.ray.smooth_images import embed, smooth
from tests.unit.images.samples import encoded, picture
from ufd_ray.detectors import NeighborSearch, Probe, margin, mean_margin, searchable, vote
from ufd_ray.encoders import Encoder
from ufd_ray.evaluation import average_precision, oracle_threshold
from ufd_ray.images import decode
from ufd_ray.pipeline.evaluate import evaluate
from ufd_ray.schema import METRICS
from ufd_ray.settings import EvaluateSettings
from ufd_ray.storage import read_bank_info, read_probe, read_searchable

FOLDERS = {
    "progan/car/0_real": 4,
    "progan/cat/1_fake": 4,
    "seeingdark/0_real": 20,
    "seeingdark/1_fake": 20,
    "laion/0_real": 5,
    "dalle/1_fake": 3,
    "half/1_fake": 2,
}
AS_JPEG = "seeingdark/0_real"
"""So that the files of its set tell real images from fakes."""
SETS = {"progan": "progan", "sitd": "sitd", "dalle": "laion"}
KS = (1, 3, 5, 9)
FILES = {
    "evaluation.html",
    "evaluation.json",
    "metrics.csv",
    "metrics.parquet",
    "rejects.parquet",
    "scores.parquet",
}
DRAWN = ("probe_score", "nn_margin", "nn_vote_k9", "nn_mean_margin_k9")
FIGURES = {
    f"figures/{name}.{kind}"
    for name in (
        *("precision-recall", "roc", "t-sne", "spectra-of-mean", "mean-of-spectra"),
        *(f"scores-{detector}" for detector in DRAWN),
        *(f"reliability-{detector}" for detector in DRAWN if "margin" not in detector),
    )
    for kind in ("svg", "png")
}


@dataclass(frozen=True)
class Evaluated:
    """An evaluation.

    Attributes:
        root: the folder of images, bank, probe and output.
        ended: how the job ended.
        flags: its command line.
    """

    root: Path
    ended: Ended
    flags: tuple[str, ...]

    def table(self, name: str) -> list[dict[str, Any]]:
        return list(pq.read_table(self.root / "out" / name).to_pylist())

    @property
    def json(self) -> Any:
        return json.loads((self.root / "out" / "evaluation.json").read_text())


@pytest.fixture(scope="module")
def evaluated(
    ray_cluster: dict[str, Any], small_encoder: Encoder, tmp_path_factory: pytest.TempPathFactory
) -> Evaluated:
    root, seed = tmp_path_factory.mktemp("evaluated"), 0
    for name, num in FOLDERS.items():
        folder = root / "tests" / name
        folder.mkdir(parents=True)
        for number in range(num):
            seed += 1
            smooth(seed).save(folder / f"{number}.{'jpg' if name == AS_JPEG else 'png'}")
    (root / "tests/progan/car/0_real/broken.png").write_bytes(encoded(picture(), "PNG")[:60])
    # The last picture of all is in the bank as well; its set is left out.
    vectors = embed(small_encoder, [smooth(number) for number in (*range(101, 112), seed)])
    bank = make_bank(root / "bank", small_encoder.identity, vectors=vectors)
    probe = make_probe(root / "probe", small_encoder.identity, weight=0.1)
    flags = (f"--input={root / 'tests'}", f"--bank={bank}", f"--probe={probe}")
    flags += (f"--output={root / 'out'}", "--batch-size=8")
    return Evaluated(root, run_here(EvaluateSettings, evaluate, *flags), flags)


@pytest.fixture(scope="module")
def plain(evaluated: Evaluated, small_encoder: Encoder) -> dict[str, dict[str, float]]:
    """Image → detector → score, without Ray, and by a search of its own for every k."""
    files = sorted(file for file in (evaluated.root / "tests").rglob("[0-9]*.*"))
    images = [decode(file.read_bytes(), max_pixels=10**6) for file in files]
    embeddings = embed(small_encoder, images)
    found = searchable(read_searchable(read_bank_info(str(evaluated.root / "bank"), HERE), HERE))
    search = NeighborSearch(found.embeddings, found.labels, found.image_ids)
    probe = read_probe(str(evaluated.root / "probe"), HERE)
    columns: dict[str, npt.NDArray[np.float32]] = {
        "probe_score": Probe(probe.weight, np.float32(probe.bias)).scores(embeddings),
        "nn_margin": margin(search.search(embeddings, 1)),
    }
    columns |= {f"nn_vote_k{k}": vote(search.search(embeddings, k), found.labels) for k in KS}
    for k in KS:  # of six images of each class, all where nine are wanted
        near = search.search(embeddings, 0, per_class=k)
        columns[f"nn_mean_margin_k{k}"] = mean_margin(near, k)
    return {
        str(file): {name: float(column[place]) for name, column in columns.items()}
        for place, file in enumerate(files)
    }


def test_scores_are_those_without_ray(
    evaluated: Evaluated, plain: dict[str, dict[str, float]]
) -> None:
    assert (evaluated.ended.status, evaluated.ended.err) == (0, "")
    rows = evaluated.table("scores.parquet")
    assert {row["uri"] for row in rows} == plain.keys()
    for row in rows:
        names = row["uri"].removeprefix(f"{evaluated.root}/tests/").split("/")
        assert row["set"] == {"seeingdark": "sitd"}.get(names[0], names[0])
        assert row["label"] == ("1_fake" in names)
        scores = {name: row[name] for name in plain[row["uri"]]}
        assert scores == pytest.approx(plain[row["uri"]], abs=1e-5)
        assert row["nn_mean_margin_k1"] == row["nn_margin"]
    # Neither all one word nor all the same number: these detectors do tell something apart.
    assert len({row["nn_vote_k3"] for row in rows}) > 1
    assert {row["nn_margin"] > 0 for row in rows} == {True, False}
    assert len({row["nn_mean_margin_k3"] for row in rows} - {row["nn_margin"] for row in rows}) > 1


def test_figures_are_those_of_the_scores(evaluated: Evaluated) -> None:
    rows = evaluated.table("scores.parquet")
    found = {
        (row["set"], row["detector"], row["metric"]): row
        for row in evaluated.table("metrics.parquet")
    }
    assert pq.read_schema(evaluated.root / "out" / "metrics.parquet").equals(pa.schema(METRICS))
    with open(evaluated.root / "out" / "metrics.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == len(found)
    assert {name for name, _, _ in found} == {*SETS, "mean/gan", "mean/unseen", "mean/all"}
    for name, lender in SETS.items():
        of_set = [r for r in rows if r["set"] == (name if r["label"] else lender)]
        labels = np.array([row["label"] for row in of_set])
        kinds = ("nn_vote_k", "nn_mean_margin_k")
        of_k = [f"{kind}{k}" for kind in kinds for k in KS]
        for detector in ("probe_score", "nn_margin", *of_k):
            scores = np.array([row[detector] for row in of_set], np.float32)
            figure = found[name, detector, "average_precision"]
            assert figure["value"] == average_precision(labels, scores)
            assert figure["low"] <= figure["value"] <= figure["high"]
            assert (figure["n_real"], figure["n_fake"]) == ((labels == 0).sum(), labels.sum())
            best = oracle_threshold(labels, scores, 0.0 if "margin" in detector else 0.5)
            right = [np.mean((scores[labels == y] > best) == y) for y in (0, 1)]
            assert found[name, detector, "accuracy_oracle"]["value"] == pytest.approx(
                np.mean(right)
            )


def test_every_image_and_every_set_is_accounted_for(evaluated: Evaluated) -> None:
    document = evaluated.json
    assert document["outcome"] == "published"
    assert document["counts"] == {
        "images": 59,
        "used": 56,
        "left_out": 2,
        "failed": 1,
        "by_error_code": {"truncated": 1},
        "in_bank": 1,
    }
    assert document["sets"] == {
        name: {"n_real": real, "n_fake": fake, "reals_of": lender, "failed": failed, "in_bank": 0}
        for (name, lender), (real, fake, failed) in zip(
            SETS.items(), ((4, 4, 1), (20, 20, 0), (5, 3, 0)), strict=True
        )
    }
    assert document["left_out"] == {"half": "2 fake images and no real one"}
    assert document["groups"]["mean/all"] == list(SETS)
    assert document["weights_are_random"] is True
    (rejected,) = evaluated.table("rejects.parquet")
    assert rejected["uri"].endswith("broken.png")
    assert "56 of 59 images used, 2 left out with their sets, 1 failed" in evaluated.ended.out
    assert "--ks 9: of one class the bank has only 6 images, and means of" in evaluated.ended.out
    assert "warning: 1 of the images are in the bank that is searched" in evaluated.ended.out


def test_tables_have_the_papers_figures_beside_ours(evaluated: Evaluated) -> None:
    text = (evaluated.root / "out" / "tables.md").read_text()
    mean = next(
        row["value"]
        for row in evaluated.table("metrics.parquet")
        if (row["set"], row["detector"], row["metric"]) == ("mean/all", "nn_vote_k9", "accuracy")
    )
    lines = text.partition("Table 3")[2].split("\n")
    place = next(n for n, line in enumerate(lines) if line.startswith("| neighbours, vote of 9 |"))
    assert lines[place].endswith(f" {100 * mean:.2f} |")
    paper = (99.54 + 71.5 + 81.47) / 3
    assert lines[place + 1].endswith(f" {paper:.2f} |")
    assert lines[place + 2].endswith(f" {100 * mean - paper:+.2f} |")
    assert text.endswith("- half: 2 fake images and no real one\n")


def test_nothing_else_is_left(evaluated: Evaluated) -> None:
    files = {*FILES, "tables.md"}
    found = read_folder(evaluated.root / "out")
    assert found.keys() == files | FIGURES
    named = {file["name"]: file["sha256"] for file in evaluated.json["files"]}
    assert named == {
        name: hashlib.sha256(data).hexdigest()
        for name, data in found.items()
        if name != "evaluation.json"
    }
    assert {path.name for path in (evaluated.root / "out").iterdir()} == files | {"figures"}


def test_figures_are_of_what_was_seen(evaluated: Evaluated) -> None:
    found = evaluated.json["figures"]
    assert (found["detectors"], found["sets"]) == ([*DRAWN], [*SETS])
    # Every image of these sets, for there are few; the bank has 12.
    drawn = {"seen_real": 6, "seen_fake": 6, "unseen_real": 29, "unseen_fake": 27}
    assert found["t-sne"]["images"] == drawn
    assert found["spectra"] == {
        **{"size": 160, "median_side": 3, "too_small": 0, "failed": 1},
        "images": {
            "progan": {"real": 4, "fake": 4},
            "sitd": {"real": 20, "fake": 20},
            "laion": {"real": 5},
            "dalle": {"fake": 3},
        },
    }
    assert found["left_out"] == {}


@pytest.mark.usefixtures("nothing_starts")
def test_what_has_been_made_is_not_made_again(evaluated: Evaluated) -> None:
    again = run_here(EvaluateSettings, evaluate, *evaluated.flags)
    assert (again.status, again.out.count("made already")) == (0, 1)


@pytest.mark.usefixtures("nothing_starts")
@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--seed=1"], "holds an evaluation with other settings: seed was 0, is 1"),
        (["--ks=13"], "--ks 13: the bank has only 12 images to search; give smaller numbers"),
        (["--output={root}/tests/out"], "lies within --input"),
        (["--output={root}/new", "--input={root}/tests/half"], "no test set has both real and"),
        (["--output={root}/new", "--input={root}/bank"], "images have no label"),
    ],
)
def test_what_cannot_be_done_is_refused(evaluated: Evaluated, flags: list[str], said: str) -> None:
    given = [flag.format(root=evaluated.root) for flag in flags]
    kept = [f for f in evaluated.flags if not any(f[:5] == flag[:5] for flag in given)]
    ended = run_here(EvaluateSettings, evaluate, *kept, *given)
    assert (ended.status, ended.err.count("\n")) == (2, 1), ended.err
    assert said in ended.err
    assert not (evaluated.root / "new").exists()


def test_sets_whose_files_tell_are_warned_of(evaluated: Evaluated) -> None:
    out, document = evaluated.ended.out, evaluated.json
    assert "warning: set sitd as it came: real images and fakes differ in their files" in out
    found = document["format_bias"]["sets"]["sitd"]
    assert (found.keys(), found["as_they_came"]["found"]) == ({"as_they_came"}, True)
    words = "format PNG: 0 % of real images, 100 % of fakes"
    assert found["as_they_came"]["telling"][0]["words"] == words
    assert document["alignment"] is None
    assert "| sitd | as they came |" in (evaluated.root / "out" / "tables.md").read_text()
    assert "traits" not in pq.read_schema(evaluated.root / "out" / "scores.parquet").names
    (few, *_) = [line for line in out.split("\n") if "were not compared" in line]
    assert "in progan, dalle: fewer than 20" in few
