"""What is told of very many rows, found in one pass that holds a few."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.pipeline.reporting.rows import DETECTORS, SCHEMA, row, table
from ufd_ray.pipeline.reporting.picks import Lowest
from ufd_ray.pipeline.reporting.places import counts_by_source, sources_of
from ufd_ray.pipeline.reporting.survey import NUM_APART, NUM_CARDS, Survey


def surveyed(*tables: Any, **detectors: Any) -> Survey:
    survey = Survey(DETECTORS | detectors)
    for rows in tables:
        survey.add(rows)
    return survey


def positions(rows: list[dict[str, Any]]) -> list[int]:
    return [one["position"] for one in rows]


@given(st.lists(st.lists(st.integers(0, 5), max_size=8), max_size=6), st.integers(1, 5))
def test_the_lowest_are_those_of_a_whole_sort(batches: list[list[int]], num: int) -> None:
    lowest, seen = Lowest(num), []
    for keys in batches:
        names = [f"{len(seen) + n:03}" for n in range(len(keys))]
        seen += list(zip(keys, names, strict=True))
        lowest.add(pa.table({"image_id": pa.array(names, pa.string())}), np.array(keys, float))
    assert [one["image_id"] for one in lowest.rows()] == [name for _, name in sorted(seen)[:num]]


@pytest.mark.parametrize("size", [7, 40, 200])
def test_choices_do_not_depend_on_how_rows_come(size: int) -> None:
    random = np.random.default_rng(0)
    rows = [
        row(n, float(score), vote=float(vote), duplicate_of="x" if n % 10 == 9 else None)
        for n, (score, vote) in enumerate(random.uniform(size=(200, 2)))
    ]
    picks = surveyed(*(table(*rows[n : n + size]) for n in range(0, 200, size))).picks()
    shown = [one for one in rows if one["duplicate_of"] is None]
    by_score = sorted(shown, key=lambda one: -one["probe_score"])
    assert positions(picks["suspicious"]) == positions(by_score[:NUM_CARDS])
    unsure = sorted(shown, key=lambda one: abs(one["probe_score"] - 0.5))
    assert positions(picks["unsure"]) == positions(unsure[:NUM_CARDS])
    apart = [one for one in unsure if (one["probe_score"] > 0.5) != (one["nn_vote"] > 0.5)]
    assert positions(picks["apart"]) == positions(apart[::-1][:NUM_APART])
    strata = [int(one["probe_score"] * NUM_CARDS) for one in picks["sample"]]
    assert strata == list(range(NUM_CARDS))
    firsts = [
        min((o for o in shown if int(o["probe_score"] * 12) == n), key=lambda o: o["image_id"])
        for n in strata
    ]
    assert positions(picks["sample"]) == positions(firsts)


def test_both_verdicts_are_counted() -> None:
    rows = [row(0, 0.9, vote=0.9), row(1, 0.9), row(2, 0.1), row(3, None), row(4, 0.1, vote=0.6)]
    survey = surveyed(table(*rows[:2]), table(*rows[2:]))
    assert survey.agreement is not None
    assert survey.agreement.counts.tolist() == [[1, 1], [1, 1]]
    assert (survey.agreement.neighbors_say, survey.agreement.neighbors_above) == ("vote", 0.5)
    margin = surveyed(table(*rows), decided_by="margin", threshold=0.25).agreement
    assert margin is not None
    assert (margin.neighbors_say, margin.counts.tolist()) == ("margin", [[2, 0], [1, 1]])


def test_one_detector_agrees_with_nobody() -> None:
    rows = table(row(0, 0.9))
    for missing in ("bank", "probe"):
        survey = surveyed(rows, **{missing: None})
        assert survey.agreement is None
        assert survey.picks()["apart"] == []


def test_margins_are_sampled_where_they_lie() -> None:
    votes = [0.5 + 0.001 * n for n in range(-50, 50)]
    rows = table(*(row(n, 0.5, vote=vote) for n, vote in enumerate(votes)))
    sample = surveyed(rows, decided_by="margin", threshold=0.0).picks()["sample"]
    assert len(sample) >= 8
    assert [one["nn_margin"] for one in sample] == sorted(one["nn_margin"] for one in sample)


def test_failed_images_and_none_at_all() -> None:
    for rows in (table(), table(row(0, None))):
        survey = surveyed(rows)
        assert not any(survey.picks().values())
    assert survey.sources.by_name["s3://crawl"].images == 1


def test_sources_are_those_of_the_manifest_or_of_the_names() -> None:
    rows = table(
        row(0, 0.9, source="sd", uri="https://A.example/x?y"),
        row(1, None, uri="https://A.example:80/x/y.png"),
        row(2, 0.1, uri="/photos/mine/a.png"),
        row(3, 0.1, uri="s3://b/c/d.tar", member="e.png"),
        row(4, 0.1, uri="file:///p/%ff.png"),
    )
    names = ["sd", "https://a.example:80", "/photos/mine/", "s3://b", "file:///p/"]
    assert sources_of(rows).to_pylist() == names
    assert sources_of(rows.drop_columns(["source"]))[0].as_py() == "https://a.example"
    counted = {name: numbers for name, *numbers in counts_by_source(rows)}
    assert counted["sd"] == [1, 1, 1]
    assert counted["https://a.example:80"] == [1, 0, 0]
    assert counted["/photos/mine/"] == [1, 1, 0]


def test_a_million_rows_are_not_held() -> None:
    num = 100_000
    random = np.random.default_rng(0)
    ids = [f"{n:032x}" for n in range(num)]
    columns = {
        "position": pa.array(range(num)),
        "image_id": pa.array(ids),
        "uri": pa.array([f"https://{n % 1000}.example/{n}" for n in range(num)]),
        "status": pa.array(["scored"] * num),
        "probe_score": pa.array(random.uniform(size=num), pa.float32()),
        "nn_vote": pa.array(random.uniform(size=num), pa.float32()),
        "verdict": pa.array(["real"] * num),
    }
    empty = {f.name: pa.nulls(num, f.type) for f in SCHEMA if f.name not in columns}
    rows = pa.table({**columns, **empty}).select(SCHEMA.names)
    survey = surveyed(rows)
    tracemalloc.start()
    before, arrow = tracemalloc.get_traced_memory()[0], pa.total_allocated_bytes()
    for _ in range(9):
        survey.add(rows)
    held = tracemalloc.get_traced_memory()[0] - before + pa.total_allocated_bytes() - arrow
    tracemalloc.stop()
    assert held < 2**20
    assert survey.sources.by_name["https://0.example"].images == 1000
    assert len(survey.picks()["suspicious"]) == NUM_CARDS
