from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.storage.runs.whole import publish_whole
from ufd_ray.errors import SettingsError
from ufd_ray.storage import (
    Scored,
    StorageOptions,
    Stratum,
    find_scored,
    image_id,
    open_frame,
    write_current,
)

OPTIONS = StorageOptions()
PROBE = {"decided_by": "probe", "threshold": 0.5, "unsure_above": None}


def row(name: str, score: float, **more: Any) -> dict[str, Any]:
    verdict = "fake" if score > 0.5 else "real"
    return {"uri": name, "probe_score": score, "verdict": verdict, "content_hash": name} | more


def crawl(num: int) -> list[dict[str, Any]]:
    scores = np.random.default_rng(0).random(num).tolist()
    return [row(f"{number}.jpg", score) for number, score in enumerate(scores)]


def published(root: Path, rows: list[dict[str, Any]], name: str = "r", **more: Any) -> Scored:
    publish_whole(root, name, rows, facts={"detectors": PROBE}, rows_per_file=50, **more)
    return find_scored(str(root / "runs" / name), OPTIONS)


def sample(
    scored: Scored, labels: int, cuts: tuple[float, ...] = (0.25,), seed: int = 0
) -> tuple[list[Stratum], list[dict[str, Any]], dict[str, int]]:
    """Strata, so many images of each, and the counts."""
    with open_frame(scored, OPTIONS) as frame:
        strata = frame.stratify(cuts)
        wanted = [min(labels, stratum.size) for stratum in strata]
        return strata, frame.draw(wanted, seed), frame.counts


def test_strata_are_ranges_of_scores_and_the_threshold_is_an_edge(tmp_path: Path) -> None:
    rows = crawl(200)
    strata, images, counts = sample(published(tmp_path, rows), 7)
    assert counts == {"rows": 200, "scored": 200, "distinct": 200}
    assert [stratum.stratum for stratum in strata] == [1, 2, 3, 4]
    assert [stratum.verdict for stratum in strata] == ["real", "real", "fake", "fake"]
    num_fake = sum(row["verdict"] == "fake" for row in rows)
    # The quarter that is nearest to the threshold, from both sides.
    near = [-(-num // 4) for num in (200 - num_fake, num_fake)]
    sizes = [stratum.size for stratum in strata]
    assert sizes == [200 - num_fake - near[0], near[0], near[1], num_fake - near[1]]
    ends = [end for stratum in strata for end in (stratum.low, stratum.high)]
    assert ends == sorted(ends)
    assert strata[1].high <= 0.5 < strata[2].low
    assert Counter(image["stratum"] for image in images) == dict.fromkeys([1, 2, 3, 4], 7)
    by_id = {image_id(row["uri"]): row for row in rows}
    for image in images:
        stratum, listed = strata[image["stratum"] - 1], by_id[image["image_id"]]
        assert (image["uri"], image["member"]) == (listed["uri"], "")
        assert stratum.low <= np.float32(image["score"]) <= stratum.high
        assert image["score"] == pytest.approx(listed["probe_score"], abs=1e-7)
        assert image["verdict"] == stratum.verdict


def test_every_image_is_drawn_as_often_as_another(tmp_path: Path) -> None:
    rows = [row(f"{number}.jpg", 0.2 if number < 12 else 0.8) for number in range(24)]
    scored = published(tmp_path, rows)
    drawn, first = Counter[str](), Counter[int]()
    with open_frame(scored, OPTIONS) as frame:
        frame.stratify(())
        for seed in range(40):
            images = frame.draw([3, 3], seed)
            drawn.update(image["image_id"] for image in images)
            first.update(image["stratum"] for image in images[:3])
    # A quarter of 40, by five standard deviations; and of 120 a half, likewise.
    assert len(drawn) == 24
    assert max(drawn.values()) < 10 + 5 * 2.8
    assert min(first.values()) > 60 - 5 * 5.5  # whoever stops early has labelled both


def test_a_draw_depends_on_its_seed_and_not_on_the_order_of_rows(tmp_path: Path) -> None:
    rows = crawl(60)
    one = published(tmp_path, rows, "a")
    other = published(tmp_path, rows[::-1], "b")
    assert sample(one, 5) == sample(other, 5)
    assert sample(one, 5)[1] != sample(one, 5, seed=1)[1]


def test_equal_scores_lie_in_one_stratum(tmp_path: Path) -> None:
    rows = [row(f"{n}", 0.25 if n < 30 else 0.75) for n in range(40)]
    strata, images, _ = sample(published(tmp_path, rows), 50, (0.1, 0.5))
    assert [(s.verdict, s.size, s.low, s.high) for s in strata] == [
        ("real", 30, 0.25, 0.25),
        ("fake", 10, 0.75, 0.75),
    ]
    assert len(images) == 40


def test_a_content_counts_once_and_failed_images_not_at_all(tmp_path: Path) -> None:
    rows = [*crawl(20), row("again", 0.9, content_hash="0.jpg", duplicate_of=image_id("0.jpg"))]
    rows.append({"uri": "broken", "status": "error", "error_code": "corrupt"})
    _, images, counts = sample(published(tmp_path, rows), 50)
    assert counts == {"rows": 22, "scored": 21, "distinct": 20}
    assert {image["uri"] for image in images} == {f"{n}.jpg" for n in range(20)}


def test_names_are_no_formulas(tmp_path: Path) -> None:
    names = ["=1+1", "+a", "-b", "@c", "x,=2"]
    rows = [row(name, 0.9, member=name) for name in names]
    _, images, _ = sample(published(tmp_path, rows), 9)
    shown = sorted(image["uri"] for image in images)
    assert shown == sorted(["'=1+1", "'+a", "'-b", "'@c", "x,'=2"])
    assert shown == sorted(image["member"] for image in images)


def test_current_is_drawn_from_while_it_is_of_one_detector(tmp_path: Path) -> None:
    published(tmp_path, crawl(10))
    # Seen again with other bytes, which the first run had under another name.
    published(tmp_path, [row("0.jpg", 0.6, content_hash="1.jpg")], "s", day=1)
    write_current(str(tmp_path), 100, OPTIONS)
    for place in (tmp_path, tmp_path / "current"):
        scored = find_scored(str(place), OPTIONS)
        assert scored.identity["kind"] == "current"
        assert scored.identity["run_ids"] == ["r", "s"]
        _, images, counts = sample(scored, 50)
        assert counts == {"rows": 10, "scored": 10, "distinct": 9}
        assert len(images) == 9
    published(tmp_path, [row("new", 0.6)], "t", day=2, detector_id="other")
    write_current(str(tmp_path), 100, OPTIONS)
    with pytest.raises(SettingsError, match=r"rows of 2 detectors .*give one run"):
        find_scored(str(tmp_path), OPTIONS)


def test_where_nothing_can_be_drawn_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="neither a published run"):
        find_scored(str(tmp_path), OPTIONS)
    failed = published(tmp_path, [{"uri": "a", "status": "error", "error_code": "corrupt"}])
    with pytest.raises(SettingsError, match="no scored image; nothing to label"):
        sample(failed, 5)
    publish_whole(tmp_path, "old", crawl(3), facts={"detectors": {}})
    with pytest.raises(SettingsError, match="does not say which detector decided"):
        find_scored(str(tmp_path / "runs" / "old"), OPTIONS)
