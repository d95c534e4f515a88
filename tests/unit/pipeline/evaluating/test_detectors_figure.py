"""All detectors over test sets, as the paper's Fig. 6 has them."""

from __future__ import annotations

from tests.unit.report.figures.test_panels import comments
from ufd_ray.evaluation import Row
from ufd_ray.pipeline.evaluating.detectors_figure import draw_over_sets
from ufd_ray.report.figures import MOST_PANELS

DETECTORS = ["probe_score", "baseline_progan", "baseline_ldm"]


def rows(sets: list[str]) -> list[Row]:
    return [
        Row(name, detector, metric, 0.5 + 0.1 * number, low, 0.9, 5, 5)
        for name in sets
        for number, detector in enumerate(DETECTORS)
        for metric, low in (("average_precision", None if "/" in name else 0.4), ("accuracy", 0.1))
    ]


def test_every_set_has_a_place_and_every_detector_a_point() -> None:
    texts = comments(draw_over_sets(rows(["ldm_200", "$x$", "mean/gan", "mean/all"]), DETECTORS))
    shown = ["LDM 200", "$x$", "mean of GANs", "mean", "probe", "progan", "ldm"]
    assert [text for text in texts if text in shown] == shown
    alone = comments(draw_over_sets(rows(["progan", "mean/gan", "mean/all"]), DETECTORS))
    assert "ProGAN" in alone
    assert not {"mean", "mean of GANs"} & set(alone)


def test_of_many_sets_the_first_are_drawn() -> None:
    names = [f"generator {number:02}" for number in range(MOST_PANELS + 1)]
    texts = comments(draw_over_sets(rows([*names, "mean/all"]), DETECTORS[:1]))
    assert {*names[:-1], "mean", "test set (the first 20 of 21)"} <= set(texts)
    assert names[-1] not in texts
