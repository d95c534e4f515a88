"""Bank, probe and thresholds put together, as a run's fingerprint and `run.json` have them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.crawl.handmade import HERE, make_bank, make_probe
from ufd_ray.errors import SettingsError
from ufd_ray.pairing import Detectors
from ufd_ray.settings import DecidingSettings
from ufd_ray.storage import NeighborsFile, RunFolder, read_bank_info, write_neighbors

THRESHOLDS = {"default": 0.5, "tuned": 0.25, "max_fpr": 0.75, "calibrated": 0.375}
PLATT = {"method": "platt", "scale": 1.5, "shift": -0.25}
WHY = {"why_not": {"max_fpr": "299 real images are needed; 40 are there"}}


@pytest.fixture(autouse=True)
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_bank(Path("bank"))
    make_probe(Path("probe"))


def change_probe(**content: Any) -> None:
    path = Path("probe", "probe.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | content))


def write_margins(thresholds: dict[str, float | None], **more: Any) -> None:
    bank = read_bank_info("bank", HERE)
    write_neighbors(bank, NeighborsFile(thresholds, **more), HERE, replace=True)


def read(**given: Any) -> Detectors:
    both = {"bank": "bank", "probe": "probe", "k": 3}
    return Detectors.read(DecidingSettings.model_validate(both | given), HERE)


def refused(**given: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        read(**given)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


# Thresholds


@pytest.mark.parametrize(
    ("given", "threshold"),
    [("default", 0.5), ("tuned", 0.25), ("max-fpr", 0.75), ("calibrated", 0.375), (0.7, 0.7)],
)
def test_a_probes_thresholds_by_name(given: Any, threshold: float) -> None:
    change_probe(thresholds=THRESHOLDS)
    found = read(threshold=given)
    assert (found.threshold, found.unsure_above) == (threshold, None)
    described = found.describe("fp32", "cpu")
    assert described["threshold"] == threshold
    assert described["threshold_name"] == (given if isinstance(given, str) else "given")


@pytest.mark.parametrize("decide_by", ["probe", "margin"])
def test_one_that_could_not_be_found_is_refused_with_the_reason(decide_by: str) -> None:
    missing = THRESHOLDS | {"max_fpr": None}
    change_probe(thresholds=missing, judged=WHY)
    write_margins(missing, details={"judged": WHY})
    said = refused(decide_by=decide_by, threshold="max-fpr")
    assert said.startswith("--threshold max-fpr: ")
    assert WHY["why_not"]["max_fpr"] in said
    assert f"jobs/calibrate.py {'--probe probe' if decide_by == 'probe' else '--bank bank'}" in said
    said = refused(decide_by=decide_by, threshold=1.0, unsure_above="max-fpr")
    assert said.startswith("--unsure-above max-fpr: ")


def test_an_older_probe_has_the_default_alone() -> None:
    change_probe(thresholds={"default": 0.625})
    assert read().threshold == 0.625
    assert "nothing was looked for when it was made" in refused(threshold="tuned")


def test_a_bank_without_a_document_has_the_default_alone() -> None:
    assert read(decide_by="margin").threshold == 0
    said = refused(decide_by="margin", threshold="tuned")
    assert "there is no neighbors.json beside it" in said
    assert "jobs/calibrate.py --bank bank" in said


def test_margins_have_thresholds_of_their_own() -> None:
    change_probe(thresholds=THRESHOLDS)
    write_margins({"default": 0.0, "tuned": -0.015, "max_fpr": 0.02, "calibrated": 2.5})
    assert read(decide_by="margin", threshold="tuned").threshold == -0.015
    assert read(decide_by="margin").threshold == 0
    said = refused(decide_by="margin", threshold="calibrated")
    assert "that of the margin of bank bank is 2.5, beyond all that it says (-2 to 2)" in said


def test_a_vote_is_over_one_half() -> None:
    change_probe(thresholds=THRESHOLDS)
    write_margins({"default": 0.25})
    assert read(decide_by="neighbors").threshold == 0.5
    assert read(decide_by="neighbors", threshold=0.3, unsure_above=0.1).unsure_above == 0.1


def test_unsure_has_to_lie_below() -> None:
    change_probe(thresholds=THRESHOLDS)
    found = read(threshold="max-fpr", unsure_above="calibrated")
    assert (found.threshold, found.unsure_above) == (0.75, 0.375)
    assert found.arguments()["unsure_above"] == 0.375
    assert found.describe("fp32", "cpu")["unsure_above_name"] == "calibrated"
    said = refused(threshold=0.25, unsure_above=0.375)
    assert said == (
        "--unsure-above 0.375 is 0.375, and the threshold (0.25) is 0.25: it has to lie below it"
    )
    assert "has to lie below" in refused(threshold=0.5, unsure_above=0.5)


def test_named_thresholds_that_have_changed_places_leave_nothing_unsure(
    capsys: pytest.CaptureFixture[str],
) -> None:
    change_probe(thresholds=THRESHOLDS)
    found = read(threshold="tuned", unsure_above="calibrated")
    assert (found.threshold, found.unsure_above) == (0.25, None)
    assert "nothing between them, so no image is called unsure" in capsys.readouterr().out


# What is out of the bank

LEAVE_ONE_OUT = {
    "quantile": 0.95,
    "distance": 0.125,
    "coverage": 0.96,
    "num_rows": 24,
    "sampled": True,
    "quantiles": {"0.5": 0.0625, "1": 0.25},
}


def measure_bank(**changes: Any) -> None:
    path = Path("bank", "bank.json")
    content = json.loads(path.read_text()) | {"leave_one_out": LEAVE_ONE_OUT | changes}
    path.write_text(json.dumps(content))


def test_an_earlier_releases_bank_says_nothing_of_what_is_out_of_it() -> None:
    found = read()
    assert (found.radius, found.arguments()["radius"]) == (None, None)
    assert "out_of_bank stays null" in str(found.say_out_of_bank())
    assert found.describe("fp32", "cpu")["out_of_bank_quantile"] is None
    assert read(bank=None).say_out_of_bank() is None


def test_a_bank_says_what_is_out_of_it() -> None:
    measure_bank()
    found = read()
    assert (found.radius, found.arguments()["radius"]) == (0.125, 0.125)
    described = found.describe("fp32", "cpu")
    assert described["out_of_bank_distance"] == 0.125
    assert described["out_of_bank_quantile"] == 0.95
    assert str(found.say_out_of_bank()).startswith(
        "out of the bank where all of it is farther than 0.125"
    )


def test_that_distance_is_part_of_the_detector_and_not_of_the_banks_content() -> None:
    before = read()
    measure_bank()
    after = read()
    assert before.contents()["out_of_bank_distance"] is None
    assert after.contents() == before.contents() | {"out_of_bank_distance": 0.125}
    assert after.detector_id("fp32") != before.detector_id("fp32")
    measure_bank(quantiles={}, sampled=False)  # told beside it
    assert read().detector_id("fp32") == after.detector_id("fp32")
    measure_bank(distance=0.25)
    assert read().detector_id("fp32") != after.detector_id("fp32")


# What is the same work, and the same detector


def test_an_earlier_releases_runs_are_gone_on_with(tmp_path: Path) -> None:
    now = read().contents()
    names = ("encoder_id", "bank_content", "probe_content")
    then = {name: now[name] for name in names}
    folder = RunFolder(str(tmp_path), "a", HERE)
    folder.record({"fingerprint": then, "outcome": "running"})
    assert folder.earlier(now) is not None
    change_probe(calibration=PLATT)
    with pytest.raises(SettingsError, match="probe_calibration was None, is "):
        folder.earlier(read().contents())


def test_the_id_of_an_earlier_releases_detector_is_the_same() -> None:
    contents = read().contents()
    names = ("encoder_id", "bank_content", "probe_content")
    then = [{n: contents[n] for n in names}, ["fp32", "float32"], ["probe", 0.5, 3]]
    assert read().detector_id("fp32") == digest(then)


CHANGES: list[dict[str, Any]] = [
    {"threshold": 0.25},
    {"threshold": "tuned"},
    {"unsure_above": 0.25},
    {"decide_by": "margin"},
    {"decide_by": "neighbors"},
    {"k": 5},
]


def test_all_that_decides_a_verdict_has_an_id_of_its_own() -> None:
    change_probe(thresholds=THRESHOLDS | {"tuned": 0.125})
    found = [read(**change) for change in ({}, *CHANGES)]
    change_probe(thresholds=THRESHOLDS, calibration=PLATT)
    found.append(read())
    ids = [detectors.detector_id("fp32") for detectors in found]
    ids += [found[0].detector_id("bf16")]
    assert len(set(ids)) == len(ids) == len(CHANGES) + 3
    # What is only told beside the rows changes none of them.
    write_margins({"default": 0.0}, calibration=PLATT)
    assert read().detector_id("fp32") == found[-1].detector_id("fp32")
    assert read().contents() != found[-1].contents()


def test_how_a_threshold_is_called_is_not_compared() -> None:
    change_probe(thresholds=THRESHOLDS)
    named, numbered = read(threshold="tuned"), read(threshold=0.25)
    assert named.contents() == numbered.contents()
    assert named.detector_id("fp32") == numbered.detector_id("fp32")


def test_both_calibrations_are_described() -> None:
    change_probe(thresholds=THRESHOLDS, calibration=PLATT)
    margins: dict[str, float | None] = {"default": 0.0, "tuned": 0.01}
    write_margins(margins, calibration=PLATT | {"scale": 20.0})
    described = read().describe("fp32", "cpu")
    assert described["probe_calibration"] == PLATT
    assert described["neighbors_calibration"] == PLATT | {"scale": 20.0}
    assert described["probe_thresholds"] == THRESHOLDS
    assert described["neighbors_thresholds"]["tuned"] == 0.01


def test_where_the_line_is_said() -> None:
    change_probe(thresholds=THRESHOLDS)
    assert read().say() == "fake where the probe score is over 0.5 (default)"
    write_margins({"default": 0.0, "tuned": 0.01}, calibration=PLATT)
    said = read(decide_by="margin", threshold="tuned", unsure_above=-0.5).say()
    assert said.startswith("fake where the margin is over 0.01 (tuned), unsure over -0.5 (given); ")
    assert "neighbors.json" in said


def test_thresholds_of_other_shards_are_refused() -> None:
    write_margins({"default": 0.0})
    make_bank(Path("bank"), num_rows=8)
    assert "neighbors.json was made for other shards" in refused()
