from __future__ import annotations

import numpy as np
import pytest

from ufd_ray.report import NUM_BARS, Histogram


@pytest.mark.parametrize("decider", ["probe", "neighbors"])
def test_scores_are_counted_from_0_to_1(decider: str) -> None:
    histogram = Histogram.of(decider)
    histogram.add(np.array([0, 0.05, 0.5], np.float32))
    histogram.add(np.array([1], np.float32))
    assert histogram.bars(0.5) is histogram
    assert np.flatnonzero(histogram.counts).tolist() == [0, 1, 10, 19]


@pytest.mark.parametrize(
    ("margins", "marks", "end"),
    [
        ([], [0.0], 0.001),
        ([0.0004, -0.0003], [0.0], 0.001),
        ([0.00105], [0.0], 0.002),
        ([-0.0305], [0.0], 0.05),
        ([0.01], [0.0, -0.3], 0.5),
        ([0.01], [-1.7], 2.0),
        ([2.0, -2.0], [0.0], 2.0),
    ],
)
def test_of_margins_the_part_is_drawn_that_holds_all(
    margins: list[float], marks: list[float], end: float
) -> None:
    histogram = Histogram.of("margin")
    histogram.add(np.array(margins, np.float32))
    bars = histogram.bars(*marks)
    assert (bars.low, bars.high, len(bars.counts)) == (-end, end, NUM_BARS)
    assert bars.counts.sum() == len(margins)


def test_a_margin_is_in_the_bar_over_its_place() -> None:
    margins = np.random.default_rng(0).normal(0, 0.02, 2000).astype(np.float32)
    histogram = Histogram.of("margin")
    for part in np.array_split(margins, 7):
        histogram.add(part)
    bars = histogram.bars(0.0)
    edges = np.linspace(bars.low, bars.high, NUM_BARS + 1)
    # Whatever lies within a rounding of an edge may be on either side of it.
    expected = np.histogram(margins, edges)[0]
    assert np.abs(bars.counts - expected).max() <= 2
