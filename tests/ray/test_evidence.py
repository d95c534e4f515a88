"""A bank's rows searched in all the others: what was planted in it is found, by name."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.crawl.fixtures import Crawled, Trained
from tests.crawl.handmade import HERE, TINY
from tests.crawl.runs import Ended, run_here
from tests.docs.pages import block
from ufd_ray.pipeline.banking import leave_one_out
from ufd_ray.pipeline.build_bank import build_bank
from ufd_ray.schema import AUDIT, bank_row
from ufd_ray.settings import BuildBankSettings
from ufd_ray.storage import embedding_column, write_document, write_table

NUM, FLIPPED, COPIES, LIES = 240, (10, 77), {240: 30, 241: 31}, {242: 50}
"""Rows with the other label; copies of rows, by the row; copies with the other label."""


def plant(folder: Path, flags: tuple[str, ...]) -> None:
    """A bank of two clusters in two shards, with rows that are not searched between the others."""
    labels = np.arange(NUM) % 2
    vectors = np.eye(8)[labels] + 0.1 * np.random.default_rng(3).normal(size=(NUM, 8))
    vectors = np.vstack([vectors, vectors[[*COPIES.values(), *LIES.values()]]])
    labels[list(FLIPPED)] = 1 - labels[list(FLIPPED)]
    labels = [*labels, *labels[list(COPIES.values())], *(1 - labels[list(LIES.values())])]
    num = len(labels)
    columns = {
        "image_id": [f"{n:032x}" for n in range(num)],
        "uri": [f"/planted/{n}.png" for n in range(num)],
        "member": pa.nulls(num, pa.string()),
        "label": labels,
        "source": ["by hand"] * num,
        "split": ["val" if n % 20 == 3 else "train" for n in range(num)],
        "view": [0] * num,
        "embedding": embedding_column(vectors.astype(np.float32)),
    }
    rows = pa.table(columns).cast(bank_row(8, "float32"))
    shards = [
        write_table(str(folder), f"shards/part-{n:05d}.parquet", rows.slice(*part), HERE)
        for n, part in enumerate(((0, 100), (100, num)))
    ]
    searched = [label for n, label in enumerate(labels) if n % 20 != 3]
    settings = dict(zip(flags[::2], flags[1::2], strict=True))
    asked = BuildBankSettings(input=[settings["--input"]], output=settings["--output"])
    content: dict[str, Any] = {
        "encoder": TINY.to_dict(),
        "dim": 8,
        "dtype": "float32",
        "counts": {"label": {}, "split": {}, "view": {}},
        "shards": [asdict(shard) for shard in shards],
        "num_searchable": len(searched),
        "fingerprint": asked.model_copy(update={"precision": "fp32"}).fingerprint(),
    }
    write_document(str(folder), "bank.json", content, HERE)


@pytest.fixture(scope="module", params=[NUM + 10, 10], ids=["by one task", "by a flow"])
def audited(
    request: pytest.FixtureRequest,
    ray_cluster: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, Ended]:
    folder = tmp_path_factory.mktemp("planted")
    flags = ("--input", str(folder / "images"), "--output", str(folder / "bank"))
    plant(folder / "bank", flags)
    more = ("--audit", "--out-of-bank-quantile", "0.9")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leave_one_out, "_FEW", request.param)
        return folder / "bank", run_here(BuildBankSettings, build_bank, *flags, *more)


def test_what_was_planted_is_found_by_name(audited: tuple[Path, Ended]) -> None:
    bank, ended = audited
    assert (ended.status, ended.err) == (0, "")
    rows = pq.read_table(bank / "audit.parquet")
    assert rows.schema.equals(pa.schema(AUDIT))
    found = [(row["reason"], row["uri"]) for row in rows.to_pylist() if row["reason"]]
    pairs = [*COPIES.items(), *LIES.items()]
    named = {number: f"/planted/{number}.png" for pair in pairs for number in pair}
    assert {uri for reason, uri in found if reason == "duplicate"} == {
        named[n] for pair in COPIES.items() for n in pair
    }
    assert [reason for reason, _ in found] == sorted(
        (reason for reason, _ in found),
        key=["duplicate_of_other_class", "suspect_label", "duplicate"].index,
    )
    assert {uri for reason, uri in found if reason == "duplicate_of_other_class"} == {
        named[n] for pair in LIES.items() for n in pair
    }
    assert {uri for reason, uri in found if reason == "suspect_label"} == {
        f"/planted/{n}.png" for n in FLIPPED
    }
    assert [uri in ended.out for _, uri in found[:5]] == [True] * 5
    assert "suspect labels: 2, whose 9 nearest others are all of the other class" in ended.out
    assert "duplicates: 4 of their own class, 2 of the other one" in ended.out


def test_each_row_is_there_once_without_itself(audited: tuple[Path, Ended]) -> None:
    bank, _ = audited
    document = json.loads((bank / "bank.json").read_text())
    shards = pq.read_table([bank / shard["name"] for shard in document["shards"]])
    rows = [row for row in shards.to_pylist() if row["split"] == "train"]
    vectors = np.array([row["embedding"] for row in rows], np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    similarity = vectors @ vectors.T
    np.fill_diagonal(similarity, -1)
    audit = {row["image_id"]: row for row in pq.read_table(bank / "audit.parquet").to_pylist()}
    assert audit.keys() == {row["image_id"] for row in rows}
    assert len(audit) == pq.read_metadata(bank / "audit.parquet").num_rows
    nearest = similarity.max(axis=1)
    found = [audit[row["image_id"]]["nearest_similarity"] for row in rows]
    assert found == pytest.approx(nearest, abs=1e-6)
    # The conservative 0.9 quantile of n: the ceil((n + 1) * 0.9)-th smallest.
    place = -(-(len(rows) + 1) * 9 // 10)
    leave_one_out = document["leave_one_out"]
    assert leave_one_out["distance"] == pytest.approx(np.sort(1 - nearest)[place - 1], abs=1e-6)
    assert (leave_one_out["quantile"], leave_one_out["sampled"]) == (0.9, False)
    assert leave_one_out["num_rows"] == len(rows)


def test_the_query_of_the_page_names_them(audited: tuple[Path, Ended]) -> None:
    bank, _ = audited
    query = block("docs/evidence.md#auditing-a-bank/3").text
    query = query.replace("s3://models/audited", str(bank))
    assert len(duckdb.sql(query).fetchall()) == len(FLIPPED) + 2 * (len(COPIES) + len(LIES))


def test_nothing_else_is_left(audited: tuple[Path, Ended]) -> None:
    bank, _ = audited
    names = {str(file.relative_to(bank)) for file in bank.rglob("*") if file.is_file()}
    shards = {f"shards/part-0000{n}.parquet" for n in range(2)}
    assert names == {"bank.json", "audit.parquet", *shards}


def test_what_was_found_is_not_looked_for_again(audited: tuple[Path, Ended]) -> None:
    bank, _ = audited
    flags = ("--input", str(bank.parent / "images"), "--output", str(bank))
    before = (bank / "bank.json").read_bytes()
    for more in ((), ("--out-of-bank-quantile", "0.9")):
        again = run_here(BuildBankSettings, build_bank, *flags, *more)
        assert (again.status, again.out) == (0, f"this bank has been built already: {bank}\n")
    assert (bank / "bank.json").read_bytes() == before


# A bank that was built, and a crawl that was scored by it


def test_a_new_bank_says_how_far_apart_its_images_lie(trained: Trained) -> None:
    document = json.loads((trained.bank / "bank.json").read_text())
    found = document["leave_one_out"]
    num = document["num_searchable"]
    assert (found["num_rows"], found["quantile"], found["sampled"]) == (num, 0.99, False)
    assert found["coverage"] == pytest.approx(num / (num + 1))
    assert found["distance"] == found["quantiles"]["1"] > found["quantiles"]["0.5"] > 0
    assert "out of the bank is what lies farther than" in trained.built.out


def test_images_unlike_the_bank_are_out_of_it(disk_run: Crawled, trained: Trained) -> None:
    bank = json.loads((trained.bank / "bank.json").read_text())
    run = disk_run.run.json
    assert run["detectors"]["out_of_bank_distance"] == bank["leave_one_out"]["distance"]
    assert run["detectors"]["out_of_bank_quantile"] == 0.99
    rows = disk_run.run.rows()
    for row in rows:
        if row["status"] == "scored":
            nearest = min(row["nn_real_distance"], row["nn_fake_distance"])
            assert row["out_of_bank"] == (nearest > bank["leave_one_out"]["distance"])
        else:
            assert row["out_of_bank"] is None
    out = {row["uri"].rpartition("/")[2]: row["out_of_bank"] for row in rows}
    assert not out["0000.png"], "a crop as the bank has them"
    assert [out[name] for name in ("pixel.png", "strip.png", "sixteen-bits.png")] == [True] * 3
