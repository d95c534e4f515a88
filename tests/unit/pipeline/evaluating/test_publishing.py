"""What is published of the flow's rows where some images failed, and where nothing can be."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.crawl.handmade import HERE, TINY, make_bank, make_probe
from tests.unit.pipeline.evaluating.rows import (
    PLAN,
    failed,
    scored,
    table,
    table_with_traits,
    traits,
)
from ufd_ray.errors import UfdError
from ufd_ray.images import Alignment
from ufd_ray.outcome import Outcome
from ufd_ray.pairing import Detectors
from ufd_ray.pipeline.evaluating.evaluation import Evaluation
from ufd_ray.pipeline.evaluating.listed_sets import TEST_SET
from ufd_ray.pipeline.evaluating.publishing import publish
from ufd_ray.settings import EvaluateSettings

WHOLE = [scored("a", 0, [0]), scored("a", 1, [1])]


@pytest.fixture
def evaluation(tmp_path: Path) -> Evaluation:
    settings = EvaluateSettings(
        input=["/tests"],
        output=str(tmp_path / "out"),
        bank=str(make_bank(tmp_path / "bank")),
        probe=str(make_probe(tmp_path / "probe")),
        ks=[1],
        figures=False,
    )
    return Evaluation(settings, Detectors.read(settings.deciding, HERE), PLAN, None, HERE)


def document(evaluation: Evaluation) -> Any:
    return json.loads(Path(evaluation.settings.output, "evaluation.json").read_text())


def test_a_set_that_failed_is_named(
    evaluation: Evaluation, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [*WHOLE, scored("b", 1, [1]), failed("b", "empty"), failed("c", "corrupt")]
    assert publish(evaluation, [table(*rows)], {}) == Outcome.PUBLISHED_WITH_ERRORS
    found = document(evaluation)
    assert found["outcome"] == "published_with_errors"
    assert found["left_out"] == {
        "b": "1 fake images and no real one (1 failed)",
        "c": "0 real images and no fake one (1 failed)",
    }
    assert {name: found["counts"][name] for name in ("images", "used", "left_out", "failed")} == {
        "images": 5,
        "used": 2,
        "left_out": 1,
        "failed": 2,
    }
    said = capsys.readouterr().out
    assert "set b is left out: 1 fake images and no real one (1 failed)\n" in said
    assert "nn_vote_k1: mAP 100.00, mean accuracy 100.00 (100.00 with the best" in said


def test_few_failures_are_none_of_the_outcome(evaluation: Evaluation) -> None:
    many = [table(*WHOLE)] * 10
    assert (
        publish(evaluation, [*many, table(failed("a", "empty"))], {"seed": 0}) == Outcome.PUBLISHED
    )
    found = document(evaluation)
    assert (found["fingerprint"], found["sets"]["a"]["failed"]) == ({"seed": 0}, 1)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([failed("a", "empty"), scored("a", 1, [1])], r"could be scored: 1 failed, 1 empty"),
        ([*WHOLE, scored("b", 1, [1], margin=None)], "it has images of one class to search"),
    ],
)
def test_without_figures_nothing_is_published(
    evaluation: Evaluation, rows: list[dict[str, Any]], said: str
) -> None:
    with pytest.raises(UfdError, match=said):
        publish(evaluation, [table(*rows)], {})
    assert not Path(evaluation.settings.output).exists()


def test_files_that_tell_are_warned_of(
    evaluation: Evaluation, capsys: pytest.CaptureFixture[str]
) -> None:
    rows: list[dict[str, Any]] = []
    for number in range(50):
        label = number % 2
        rows.append(scored("a", label, [label]) | {"content_hash": f"{number:02}"})
        rows[-1]["traits"] = traits("PNG" if label else "JPEG", 1000 + number)
        rows[-1]["aligned_traits"] = traits("JPEG", 1000 + number)
    few = [row | {TEST_SET: "few"} for row in rows[:10]]
    rows.append(failed("a", "too_small"))
    wanted = ("traits", "aligned_traits")
    settings = evaluation.settings.model_copy(update={"align": True})
    evaluation = replace(evaluation, settings=settings)
    assert publish(evaluation, [table_with_traits(rows + few, *wanted)], {}) == Outcome.PUBLISHED
    found = document(evaluation)["format_bias"]
    assert (found["margin"], found["fewest"], list(found["sets"])) == (0.1, 20, ["a", "few"])
    came, aligned = (found["sets"]["a"][name] for name in ("as_they_came", "aligned"))
    assert (came["n_real"], came["n_fake"], came["chance"]) == (25, 25, 0.5)
    assert (came["found"], aligned["found"]) == (True, False)
    assert came["average_precision"]["low"] > 0.55 > aligned["average_precision"]["low"]
    words = "format PNG: 0 % of real images, 100 % of fakes"
    assert came["telling"][0] == {"trait": "format", "apart": 1.0, "words": words}
    assert found["sets"]["few"]["aligned"]["found"] is None
    said = capsys.readouterr().out
    assert "set a as it came: real images and fakes differ in their files: AP 100.00" in said
    assert "set a aligned: the size of the file, all that differs, tells little" in said
    text = Path(evaluation.settings.output, "tables.md").read_text()
    assert text.count("| a | as they came | 50.00 | 100.00 [") == 1


def test_without_traits_nothing_is_said_of_them(evaluation: Evaluation) -> None:
    publish(evaluation, [table(*WHOLE)], {})
    assert document(evaluation)["format_bias"] is None
    assert "Format bias" not in Path(evaluation.settings.output, "tables.md").read_text()


def test_images_are_aligned_to_what_the_encoder_sees(evaluation: Evaluation) -> None:
    assert evaluation.alignment is None
    for more, expected in (({}, TINY.input_size), ({"align_size": 99}, 99)):
        settings = evaluation.settings.model_copy(
            update={"align": True, "align_quality": 80} | more
        )
        assert replace(evaluation, settings=settings).alignment == Alignment(expected, 80)


def test_a_set_is_no_formula_in_a_spreadsheet(evaluation: Evaluation) -> None:
    publish(evaluation, [table(scored("=1+1", 0, [0]), scored("=1+1", 1, [1]))], {})
    lines = Path(evaluation.settings.output, "metrics.csv").read_text().splitlines()
    assert any(line.startswith('"\'=1+1",') for line in lines)
    assert not any(line.startswith('"=') for line in lines)
