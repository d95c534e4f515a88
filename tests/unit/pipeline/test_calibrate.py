"""Thresholds and calibration anew, from labelled images: of a probe, and of a bank's margins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.crawl.handmade import HERE, OTHER, TINY, make_probe
from tests.crawl.runs import Ended, run_here
from ufd_ray.detectors import NeighborSearch, Probe, margin
from ufd_ray.encoders import EncoderIdentity
from ufd_ray.evaluation import settle
from ufd_ray.pipeline.calibrate import calibrate
from ufd_ray.schema import bank_row
from ufd_ray.settings import CalibrateSettings
from ufd_ray.storage import (
    embedding_column,
    read_bank_info,
    read_neighbors,
    read_probe,
    write_document,
    write_table,
)

NUM = 120
ROWS_PER_SHARD = 50


def labelled(num: int, seed: int) -> tuple[Any, Any]:
    """Embeddings of which fakes lean less far than they should: 0.5 is not the middle."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(num) % 2).astype(np.int8)
    leaning = np.where(labels, 0.1, -0.4)[:, None]
    vectors = (rng.normal(size=(num, TINY.dim)) + leaning).astype(np.float32)
    return vectors, labels


def make_bank(
    folder: Path,
    *,
    num: int = NUM,
    seed: int = 0,
    num_val: int = 40,
    encoder: EncoderIdentity = TINY,
    dtype: str = "float32",
    same_as: int | None = None,
) -> Path:
    """A bank whose last `num_val` images are held out; with `same_as`, the last 4 of that seed."""
    vectors, labels = labelled(num, seed)
    ids = [f"{seed:016x}{row:016x}" for row in range(num)]
    if same_as is not None:
        vectors[-4:], labels[-4:] = (values[:4] for values in labelled(num, same_as))
        ids[-2:] = [f"{same_as:016x}{row:016x}" for row in (5, 6)]
    columns = {
        "image_id": ids,
        "uri": ids,
        "member": pa.nulls(num, pa.string()),
        "label": labels,
        "source": ["by hand"] * num,
        "split": ["train"] * (num - num_val) + ["val"] * num_val,
        "view": [0] * num,
        "embedding": embedding_column(vectors.astype(dtype)),
    }
    rows = pa.table(columns).cast(bank_row(encoder.dim, dtype))
    # An augmented view of the first image, which nobody is to be judged by.
    view = rows.slice(num - 1, 1)
    view = view.set_column(6, rows.schema.field("view"), pa.array([1], pa.int16()))
    rows = pa.concat_tables([rows, view])
    shards = [
        write_table(
            str(folder),
            f"shards/part-{start // ROWS_PER_SHARD:05d}.parquet",
            rows.slice(start, ROWS_PER_SHARD),
            HERE,
        ).to_dict()
        for start in range(0, len(rows), ROWS_PER_SHARD)
    ]
    content = {
        "encoder": encoder.to_dict(),
        "dim": encoder.dim,
        "dtype": dtype,
        "counts": {"label": {"0": 1}, "split": {"train": 1}, "view": {"0": 1}},
        "shards": shards,
        "num_searchable": num - num_val,
    }
    write_document(str(folder), "bank.json", content, HERE)
    return folder


def run(*flags: str) -> Ended:
    return run_here(CalibrateSettings, calibrate, *flags)


def refused(*flags: str) -> str:
    ended = run(*flags)
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1), ended
    return ended.err.removeprefix("error: ").rstrip()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    make_bank(Path("bank"))
    make_probe(Path("probe"))
    return tmp_path


PROBE = ("--probe=probe", "--on=bank", "--output=new")


# A probe


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(("split", "first"), [("val", NUM - 40), ("all", 0)])
def test_a_probe_is_calibrated_on_the_images_of_a_split(split: str, first: int) -> None:
    ended = run(*PROBE, f"--split={split}", "--max-fpr=0.2", "--confidence=0.9")
    assert (ended.status, ended.err) == (0, "")
    vectors, labels = (values[first:] for values in labelled(NUM, 0))
    old, new = read_probe("probe", HERE), read_probe("new", HERE)
    linear = Probe(old.weight, np.float32(old.bias))
    settings = CalibrateSettings(probe="p", on="b", output="o", max_fpr=0.2, confidence=0.9)
    expected = settle(
        linear.logits(vectors),
        linear.scores(vectors),
        labels,
        default=0.5,
        settings=settings,
        of=split,
    )
    assert new.thresholds == expected.thresholds.to_dict()
    assert None not in new.thresholds.values()
    assert expected.calibration is not None
    assert new.calibration == expected.calibration.to_dict()
    assert new.details["judged"] == expected.details
    assert (new.weight.tobytes(), new.bias) == (old.weight.tobytes(), old.bias)
    assert f"threshold tuned: {new.thresholds['tuned']:.6g}" in ended.out
    assert "calibration error (ECE) 0." in ended.out
    assert "Brier score 0." in ended.out
    assert ended.out.endswith("probe: new\n")


@pytest.mark.usefixtures("world")
def test_what_the_probe_said_of_itself_is_carried_along() -> None:
    document = json.loads(Path("probe", "probe.json").read_text())
    said = {"recipe": "logistic", "training_curve": [{"step": 1}], "bank": "s3://there"}
    Path("probe", "probe.json").write_text(json.dumps(document | said))
    assert run(*PROBE).status == 0
    details = read_probe("new", HERE).details
    assert details | said == details
    on = read_bank_info("bank", HERE)
    assert details["calibrated_on"] == {"bank": "bank", "content": on.content, "split": "val"}


@pytest.mark.usefixtures("world")
def test_the_same_again_returns_at_once_and_other_settings_are_refused() -> None:
    assert run(*PROBE).status == 0
    before = Path("new", "probe.json").read_bytes()
    again = run(*PROBE)
    assert (again.status, again.out) == (0, "this probe has been calibrated already: new\n")
    assert Path("new", "probe.json").read_bytes() == before
    said = refused(*PROBE, "--max-fpr=0.3")
    assert "holds a probe with other settings: max_fpr was 0.01, is 0.3" in said
    make_bank(Path("bank"), seed=1)
    assert "on_content was " in refused(*PROBE)


@pytest.mark.usefixtures("world")
def test_a_probe_is_never_written_over_another() -> None:
    before = Path("probe", "probe.json").read_bytes()
    said = refused("--probe=probe", "--on=bank", "--output=probe")
    assert said == "--output probe holds another probe; choose another place"
    assert Path("probe", "probe.json").read_bytes() == before


@pytest.mark.usefixtures("world")
def test_what_cannot_be_found_is_said_with_the_reason() -> None:
    ended = run(*PROBE)
    assert ended.status == 0
    thresholds = read_probe("new", HERE).thresholds
    assert thresholds["max_fpr"] is None
    assert "threshold max-fpr: none, since at most 0.01 of all real images flagged" in ended.out
    assert "299" in ended.out or "298" in ended.out  # images that it takes


@pytest.mark.usefixtures("world")
def test_no_calibration_where_none_is_wanted() -> None:
    assert run(*PROBE, "--calibrate=none").status == 0
    made = read_probe("new", HERE)
    assert (made.calibration, made.thresholds["calibrated"]) == (None, None)
    assert made.thresholds["tuned"] is not None


@pytest.mark.usefixtures("world")
def test_encoder_and_dtype_must_agree() -> None:
    make_bank(Path("other"), encoder=OTHER)
    make_bank(Path("half"), dtype="float16")
    flags = ("--probe=probe", "--output=new")
    assert "were made by different encoders" in refused(*flags, "--on=other")
    assert "keeps embeddings in float16" in refused(*flags, "--on=half")
    assert refused(*flags, "--on=nowhere") == "--on nowhere: there is no bank.json"
    assert not Path("new").exists()


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("again", [False, True])
def test_a_probe_is_not_judged_by_what_it_was_fitted_on(again: bool) -> None:
    shards = [shard["sha256"] for shard in read_bank_info("bank", HERE).shards]
    path = Path("probe", "probe.json")
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"fingerprint": {"bank_shards": shards}}))
    probe = "probe"
    if again:  # nor once it has been calibrated
        assert run(*PROBE).status == 0
        probe = "new"
    flags = (f"--probe={probe}", "--on=bank", "--output=newer")
    assert "was fitted on the train images" in refused(*flags, "--split=all")
    path.write_text(json.dumps(document | {"recipe": "imported"}))
    assert run("--probe=probe", "--on=bank", "--output=other", "--split=all").status == 0


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("gone", [False, True])
def test_images_that_it_was_fitted_on_are_left_out_of_any_bank(gone: bool) -> None:
    shards = [shard["sha256"] for shard in read_bank_info("bank", HERE).shards]
    path = Path("probe", "probe.json")
    document = json.loads(path.read_text()) | {"bank": "bank"}
    path.write_text(json.dumps(document | {"fingerprint": {"bank_shards": shards}}))
    # The same images, dealt out in another way: other shards, and all of them validate.
    make_bank(Path("again"), num_val=NUM)
    if gone:
        Path("bank").rename("elsewhere")
    ended = run("--probe=probe", "--on=again", "--output=new")
    assert ended.status == 0, ended.err
    if gone:
        assert "whether its images are among those of --on cannot be seen" in ended.out
    assert (f"{NUM - 40} images left out: the probe was fitted on them" in ended.out) is not gone
    judged = json.loads(Path("new", "probe.json").read_text())["judged"]
    assert judged["num_real"] + judged["num_fake"] == (NUM if gone else 40)


@pytest.mark.usefixtures("world")
def test_one_class_is_not_enough() -> None:
    make_bank(Path("small"), num_val=1)
    said = refused("--probe=probe", "--on=small", "--output=new")
    assert "0 real and 1 fake images to judge by (split val)" in said
    assert "--split all" in said


# A bank's neighbours


def margins_by_hand(first: int, num_val: int = 40) -> tuple[Any, Any]:
    vectors, labels = labelled(NUM, 0)
    near = slice(0, NUM - num_val)
    search = NeighborSearch(vectors[near], labels[near], [f"{n:04d}" for n in range(NUM - num_val)])
    return margin(search.search(vectors[first:], 1)), labels[first:]


@pytest.mark.usefixtures("world")
def test_a_banks_own_held_out_images() -> None:
    ended = run("--bank=bank", "--max-fpr=0.2", "--confidence=0.9")
    assert (ended.status, ended.err) == (0, "")
    margins, labels = margins_by_hand(NUM - 40)
    settings = CalibrateSettings(bank="b", max_fpr=0.2, confidence=0.9)
    expected = settle(margins, margins, labels, default=0.0, settings=settings, of="val")
    found = read_neighbors(read_bank_info("bank", HERE), HERE)
    assert found is not None
    assert found.thresholds == expected.thresholds.to_dict()
    assert expected.calibration is not None
    assert found.calibration == expected.calibration.to_dict()
    assert found.details["num_left_out"] == 0
    assert "sigmoid(" in ended.out
    assert "· margin" in ended.out
    assert ended.out.endswith("written: bank/neighbors.json\n")


@pytest.mark.usefixtures("world")
def test_images_that_are_searched_are_left_out() -> None:
    make_bank(Path("fresh"), seed=7, same_as=0)
    ended = run("--bank=bank", "--on=fresh", "--split=all")
    assert ended.status == 0
    # The last four have embeddings of the bank, two of these its ids as well.
    assert ended.out.startswith("4 images left out: they are among those that are searched\n")
    found = read_neighbors(read_bank_info("bank", HERE), HERE)
    assert found is not None
    judged = found.details["judged"]
    assert judged["num_real"] + judged["num_fake"] == NUM - 4


@pytest.mark.usefixtures("world")
def test_an_image_of_the_bank_by_its_id_alone_is_left_out() -> None:
    make_bank(Path("fresh"), seed=7)
    path = Path("fresh", "shards", "part-00000.parquet")
    rows = pq.read_table(path)
    ids = [f"{0:016x}{3:016x}", *rows["image_id"].to_pylist()[1:]]
    rows = rows.set_column(0, rows.schema.field("image_id"), pa.array(ids))
    shard = write_table("fresh", "shards/part-00000.parquet", rows, HERE)
    document = json.loads(Path("fresh", "bank.json").read_text())
    document["shards"][0] = shard.to_dict()
    Path("fresh", "bank.json").write_text(json.dumps(document))
    assert run("--bank=bank", "--on=fresh", "--split=all").out.startswith("1 images left out")


@pytest.mark.usefixtures("world")
def test_neighbours_are_not_calibrated_twice_unless_asked() -> None:
    assert run("--bank=bank").status == 0
    path = Path("bank", "neighbors.json")
    before = path.read_bytes()
    again = run("--bank=bank")
    assert (again.status, "calibrated already" in again.out) == (0, True)
    said = refused("--bank=bank", "--max-fpr=0.3")
    assert "made with other settings: max_fpr was 0.01, is 0.3; give --replace" in said
    assert path.read_bytes() == before
    assert run("--bank=bank", "--max-fpr=0.3", "--replace").status == 0
    assert json.loads(path.read_text())["judged"]["max_fpr"] == 0.3


@pytest.mark.usefixtures("world")
def test_a_bank_without_held_out_images_needs_others() -> None:
    make_bank(Path("small"), num_val=1)
    assert "0 real and 1 fake images to judge by" in refused("--bank=small")
    assert "--split all needs --on" in refused("--bank=bank", "--split=all")
