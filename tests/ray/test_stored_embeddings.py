"""Embeddings from Parquet, scored as they lie: no image, no encoder, each row its own scores."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import ufd_ray
from tests.crawl.handmade import HERE, OTHER, TINY, make_bank, make_probe
from tests.crawl.runs import Ended, Run, read_folder, run_here
from tests.unit.pipeline.stored_files import vectors, write_embeddings
from ufd_ray.encoders import Encoder
from ufd_ray.errors import StorageError
from ufd_ray.pipeline import flow
from ufd_ray.pipeline import run as run_module
from ufd_ray.pipeline.score import score
from ufd_ray.pipeline.stored_input import find_stored
from ufd_ray.pipeline.stored_rows import Recalling
from ufd_ray.schema import DETECTION, SCORES
from ufd_ray.settings import ScoreSettings
from ufd_ray.storage import embedding_ranges, write_manifest

K, NAMED, NUMBERED = 5, 120, 60
BAD = {3: "null", 50: "NaN", 119: "zeros", 130: "infinite"}
AGAIN = 10
"""Rows of images that are there twice."""
DONE = 100
"""Rows that the first attempt left behind."""


@dataclass(frozen=True)
class Scored:
    """A run, and what it was made from.

    Attributes:
        root: where everything lies.
        embeddings: (180, 8), by the column `number`.
        first: how the attempt ended that could not publish.
        run: the one after it.
    """

    root: Path
    embeddings: npt.NDArray[np.float32]
    first: Ended
    run: Run

    def rows(self) -> dict[int, dict[str, Any]]:
        return {row["number"]: row for row in self.run.rows()}


def submit(root: Path, place: str, *flags: str) -> Ended:
    always = (f"--bank={root}/bank", f"--probe={root}/probe", f"--k={K}", "--max-error-rate=1")
    return run_here(ScoreSettings, score, f"--embeddings={root}/{place}", *always, *flags)


@pytest.fixture(scope="module")
def scored(ray_cluster: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Scored:
    """Two files, of images with and without names; some rows unusable, some there twice."""
    root = tmp_path_factory.mktemp("stored")
    make_bank(root / "bank", num_rows=40)
    make_probe(root / "probe")
    embeddings = vectors(NAMED + NUMBERED, TINY.dim).astype(np.float32)
    cells: list[Any] = [row.copy() for row in embeddings]
    cells[3], cells[50][1], cells[119][:], cells[130][7] = None, np.nan, 0, -np.inf
    uris = [f"s3://crawl/{number}.png" for number in range(NAMED)]
    numbers = pa.array(range(NAMED + NUMBERED), pa.int64())
    write_embeddings(
        root / "in" / "a" / "named.parquet",
        [*cells[:NAMED], *cells[:AGAIN]],
        kind=pa.list_(pa.float32(), TINY.dim),
        rows_per_group=25,
        uri=[*uris, *uris[:AGAIN]],
        label=["real", "fake"] * ((NAMED + AGAIN) // 2),
        number=pa.concat_arrays([numbers[:NAMED], numbers[:AGAIN]]),
    )
    write_embeddings(
        root / "in" / "b.parquet",
        cells[NAMED:],
        kind=pa.list_(pa.float64()),
        rows_per_group=7,
        number=numbers[NAMED:],
    )
    flags = (f"--output={root}/out", "--run-id=stored", "--keep-embeddings", "--rows-per-file=70")
    flags += (f"--embeddings-encoder={TINY.encoder_id}",)

    def refuse(*_: Any) -> Any:
        raise StorageError("the network is down")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flow, "_STORED_AT_A_TIME", 40)
        patch.setattr(Encoder, "load", refuse)
        with pytest.MonkeyPatch.context() as without_publication:
            without_publication.setattr(run_module, "publish_scores", refuse)
            first = submit(root, "in", *flags)
        lose_some_rows(root / "out" / "runs" / "stored")
        ended = submit(root, "in", *flags)
    return Scored(root, embeddings, first, Run(ended, read_folder(root / "out/runs/stored")))


def lose_some_rows(run: Path) -> None:
    """As if the driver had died before the rest of the rows was committed."""
    for folder in ("parts", "checkpoint"):
        for path in (run / folder).rglob("*.parquet"):
            rows = pq.read_table(path)
            pq.write_table(rows.filter(pc.less(rows["position"], DONE)), path)


def test_what_was_done_is_not_done_again(scored: Scored) -> None:
    assert (scored.first.status, scored.run.ended.status) == (1, 0), scored.run.ended.err
    assert "the network is down" in scored.first.err
    assert scored.run.json["rows_reused"] == DONE
    assert f"{DONE} of 180 images were done before" in scored.run.ended.out
    assert scored.run.json["timings"]["images_by_stage"] == {
        "recall": 180 - DONE,
        "detect": 180 - DONE,
    }


def test_every_row_is_there_once_with_what_was_known_of_it(scored: Scored) -> None:
    assert "180 images with stored embeddings listed · 10 named more than once" in scored.first.out
    rows = scored.rows()
    assert len(scored.run.rows()) == len(rows) == NAMED + NUMBERED
    assert [rows[n]["uri"] for n in range(NAMED)] == [f"s3://crawl/{n}.png" for n in range(NAMED)]
    file = f"{scored.root}/in/b.parquet"
    found = [(rows[n]["uri"], rows[n]["member"]) for n in range(NAMED, NAMED + NUMBERED)]
    assert found == [(file, str(row)) for row in range(NUMBERED)]
    assert [rows[n]["label"] for n in (0, 1, NAMED)] == [0, 1, None]
    names = scored.run.table("scores").schema.names
    assert names == [*(field.name for field in SCORES), "number", "label"]
    assert {row["width"] for row in rows.values()} == {None}


def test_rows_that_are_no_embeddings_say_so(scored: Scored) -> None:
    errors = {n: row["error_code"] for n, row in scored.rows().items() if row["status"] == "error"}
    assert errors == dict.fromkeys(BAD, "not_finite")
    assert "176 of 180 images scored" in scored.run.ended.out


def test_scores_are_the_detectors_own_to_the_bit(scored: Scored) -> None:
    detector = ufd_ray.load_detector(f"{scored.root}/probe", bank=f"{scored.root}/bank", k=K)
    expected = detector.detect(scored.embeddings).to_pylist()
    for number, row in scored.rows().items():
        if number not in BAD:
            names = [field.name for field in DETECTION]
            assert {n: row[n] for n in names} == {n: expected[number][n] for n in names}, number


def test_the_record_says_what_was_read(scored: Scored) -> None:
    document = scored.run.json
    assert document["input_kind"] == "stored embeddings"
    assert document["detectors"]["precision"] is None
    assert document["weights_files"] == []
    assert f"{scored.root}/in" in scored.run.files["report.html"].decode()


def test_a_run_lies_wherever_and_is_read_again(scored: Scored, tmp_path: Path) -> None:
    moved = shutil.copytree(scored.root / "out/runs/stored", tmp_path / "elsewhere")
    settings = ScoreSettings(embeddings=[str(moved)], output="/out", probe="/probe")
    stored = find_stored(settings, TINY, HERE)
    assert stored is not None
    write_manifest(str(tmp_path / "manifest"), stored.tables(), HERE)
    how = Recalling("embedding", TINY.dim, "float32", HERE)
    ranges = embedding_ranges(str(tmp_path / "manifest"), 50, HERE)
    found = {row["number"]: row for r in ranges for t in how.rows(r) for row in t.to_pylist()}
    for number, row in scored.rows().items():
        names = ("image_id", "member", "label", "error_code", "error_message")
        assert [found[number][name] for name in names] == [row[name] for name in names]
        expected = None if number in BAD else scored.embeddings[number].tolist()
        assert found[number]["embedding"] == expected
    assert len(found) == NAMED + NUMBERED


def test_a_dry_run_counts_and_leaves_nothing(scored: Scored, tmp_path: Path) -> None:
    flags = (f"--output={tmp_path}/out", "--dry-run", f"--embeddings-encoder={TINY.encoder_id}")
    ended = submit(scored.root, "in", *flags, "--limit=150")
    assert (ended.status, ended.err) == (0, "")
    assert "150 images with stored embeddings listed" in ended.out
    assert not (tmp_path / "out").exists()


def test_another_encoders_embeddings_begin_no_run(scored: Scored, tmp_path: Path) -> None:
    make_bank(tmp_path / "bank", OTHER)
    ended = run_here(
        ScoreSettings,
        score,
        f"--embeddings={tmp_path}/bank",
        f"--probe={scored.root}/probe",
        f"--output={tmp_path}/out",
    )
    assert ended.status == 2
    assert f"from encoder {OTHER.encoder_id}, and bank and probe are for encoder" in ended.err
    assert not (tmp_path / "out").exists()
