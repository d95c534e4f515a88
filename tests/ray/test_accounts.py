"""Rows that were lost or doubled on the way are found before anything is published."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.crawl.handmade import HERE
from ufd_ray.errors import AccountsError
from ufd_ray.pipeline.publishing import Census, publish_scores
from ufd_ray.schema import MANIFEST, POSITION, SCORES
from ufd_ray.storage import PublishedFile, RunFolder, image_id

NUM_IMAGES = 12
NUM_PARTS = 4


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run whose parts are written, in whatever order, and not yet published."""
    order = [5, 0, 7, 11, 2, 9, 1, 10, 3, 8, 4, 6]
    schema = pa.schema([POSITION, *SCORES])
    run = RunFolder(str(tmp_path), "a", HERE)
    Path(run.parts).mkdir(parents=True)
    for number in range(NUM_PARTS):
        rows = [_row(position) for position in order[number::NUM_PARTS]]
        pq.write_table(pa.Table.from_pylist(rows, schema), part(run, number))
    Path(run.manifest).mkdir()
    listed = [_row(position) for position in range(NUM_IMAGES)]
    manifest = pa.Table.from_pylist(listed, pa.schema(MANIFEST))
    pq.write_table(manifest, Path(run.manifest, "part-00000.parquet"))
    return run


def _row(position: int) -> dict[str, Any]:
    uri = f"/images/{position}.png"
    failed = position == 7
    # Of every third image, the bytes are those of the first of them.
    content = "same" if position % 3 == 0 else str(position)
    return {
        "position": position,
        "image_id": image_id(uri),
        "uri": uri,
        "status": "error" if failed else "scored",
        "error_code": "empty" if failed else None,
        "content_hash": None if failed else content,
        "probe_score": None if failed else position / NUM_IMAGES,
        "verdict": None if failed else "fake" if position > 6 else "real",
    }


def part(run: RunFolder, number: int) -> Path:
    return Path(run.parts, f"part-{number}.parquet")


def publish(run: RunFolder) -> tuple[list[PublishedFile], Census]:
    return publish_scores(run, NUM_IMAGES, 5, "probe", {"ufd_ray.run_id": "a"})


def named(*positions: int) -> str:
    return ", ".join(_row(position)["image_id"] for position in positions)


def test_rows_come_out_in_the_order_of_the_manifest(run: RunFolder) -> None:
    files, census = publish(run)
    assert [(file.name, file.num_rows) for file in files] == [
        ("scores/part-00000.parquet", 5),
        ("scores/part-00001.parquet", 5),
        ("scores/part-00002.parquet", 2),
    ]
    rows = pq.read_table(Path(run.uri, "scores")).to_pylist()
    assert [row["uri"] for row in rows] == [f"/images/{n}.png" for n in range(NUM_IMAGES)]
    assert (census.num_images, census.error_rate) == (NUM_IMAGES, 1 / NUM_IMAGES)
    assert census.verdict == {"real": 7, "fake": 4}


def test_copies_name_the_first_whatever_part_it_came_in(run: RunFolder) -> None:
    publish(run)
    rows = pq.read_table(Path(run.uri, "scores")).to_pylist()
    copies = {n: row["duplicate_of"] for n, row in enumerate(rows) if row["duplicate_of"]}
    assert copies == dict.fromkeys((3, 6, 9), image_id("/images/0.png"))


def publication_fails(run: RunFolder) -> str:
    with pytest.raises(AccountsError) as error:
        publish(run)
    assert not Path(run.uri, "scores").exists()
    return str(error.value)


def test_lost_rows_are_named(run: RunFolder) -> None:
    part(run, 1).unlink()
    assert publication_fails(run) == (
        f"12 images went in, 9 rows came out: 3 lost ({named(0, 8, 9)}). Nothing was published."
    )


def test_double_rows_are_named(run: RunFolder) -> None:
    shutil.copy(part(run, 2), part(run, 9))
    assert publication_fails(run) == (
        f"12 images went in, 15 rows came out: 3 double ({named(1, 4, 7)}). Nothing was published."
    )


def test_as_many_rows_as_images_are_not_enough(run: RunFolder) -> None:
    shutil.copy(part(run, 2), part(run, 1))
    said = publication_fails(run)
    assert f"12 images went in, 12 rows came out: 3 lost ({named(0, 8, 9)})" in said
    assert f"3 double ({named(1, 4, 7)})" in said


def test_rows_of_no_image_are_named(run: RunFolder) -> None:
    foreign = pa.Table.from_pylist([_row(12)], pa.schema([POSITION, *SCORES]))
    pq.write_table(foreign, part(run, 9))
    assert "1 foreign (position 12)" in publication_fails(run)


def test_no_rows_at_all(run: RunFolder) -> None:
    for number in range(NUM_PARTS):
        part(run, number).unlink()
    assert f"12 lost ({named(0, 1, 2, 3, 4)}, …)" in publication_fails(run)
