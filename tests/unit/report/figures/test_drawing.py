"""What holds for every figure: the same bytes again, nothing from elsewhere, strangers' names."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.unit.report.figures.harmless import assert_harmless
from ufd_ray.report.figures import Drawing, points_figure, sweep_figure
from ufd_ray.report.figures.names import shown
from ufd_ray.report.figures.styles import line_style

HOSTILE = '<script>alert(1)</script> $x_{1}$ --> & "\n\u202e\u0007 鸟 ' + "long" * 50


def drawn(name: str = "probe_score") -> Drawing:
    return sweep_figure(
        name, "JPEG quality", ["100", name, "30"], {name: [0.9, np.nan, 0.7], "b": [1, 1, 1]}, "AP"
    )


def test_the_same_numbers_are_the_same_bytes() -> None:
    assert drawn() == drawn()
    assert drawn() != drawn("nn_margin")


def test_it_is_a_picture() -> None:
    with Image.open(io.BytesIO(drawn().png)) as image:
        pixels = np.asarray(image.convert("L"))
        assert image.info["dpi"] == pytest.approx((150, 150), abs=0.1)
        assert set(image.info) == {"dpi"}
    assert (pixels < 128).mean() > 0.002, "nothing dark is on it"


@pytest.mark.parametrize("name", ["plain", "_hidden", HOSTILE])
def test_a_vector_figure_runs_nothing_and_asks_for_nothing(name: str) -> None:
    assert_harmless(drawn(name).svg)


def test_names_that_begin_with_an_underscore_are_in_the_legend() -> None:
    plain = sweep_figure("t", "x", ["1"], {"hidden": [1.0]}, "y").png
    marked = sweep_figure("t", "x", ["1"], {"_hidden": [1.0]}, "y").png
    none = sweep_figure("t", "x", ["1"], {" ": [1.0]}, "y").png
    ink = [int((np.asarray(Image.open(io.BytesIO(p))) < 99).sum()) for p in (none, plain, marked)]
    assert ink[0] < ink[1] < ink[2]


@given(st.text(max_size=90), st.integers(3, 40))
def test_a_shown_name_is_short_and_on_one_line(name: str, longest: int) -> None:
    line = shown(name, longest)
    assert len(line) <= longest
    assert line.isprintable()
    assert shown(line, longest) == line


def test_both_ends_of_a_long_name_are_left() -> None:
    assert shown("a" * 20 + "b" * 20, 9) == "aaaa…bbbb"
    assert shown("鸟 \u202eab") == "� �ab"


def test_lines_differ_without_colour() -> None:
    grey = [str([line_style(n)[part] for part in ("linestyle", "marker")]) for n in range(40)]
    assert len(set(grey)) == 40


@pytest.mark.parametrize("series", [{}, {"a": [1.0, 2.0]}])
def test_what_does_not_fit_is_said(series: dict[str, list[float]]) -> None:
    with pytest.raises(ValueError, match=r"nothing to draw|2 values for 1 settings"):
        sweep_figure("t", "x", ["1"], series, "y")


def test_only_who_draws_imports_the_library() -> None:
    code = "import sys, ufd_ray.report.figures; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def ink(drawing: Drawing) -> int:
    return int((np.asarray(Image.open(io.BytesIO(drawing.png)).convert("L")) < 128).sum())


def test_points_are_not_joined_and_have_their_intervals() -> None:
    values, none = {"a": [10.0, 90.0]}, (np.nan, np.nan)
    lines = sweep_figure("t", "x", ["own", "b"], values, "y")
    points = points_figure("t", "x", ["own", "b"], values, {"a": [none, none]}, "y")
    held = points_figure("t", "x", ["own", "b"], values, {"a": [(5.0, 95.0), none]}, "y")
    assert ink(points) < ink(held)
    assert ink(points) < ink(lines)
    assert_harmless(held.svg)


def test_points_of_a_setting_stand_side_by_side() -> None:
    alike = {name: [50.0] for name in ("a", "b", "c")}
    none = {name: [(np.nan, np.nan)] for name in alike}
    drawn = points_figure("t", "x", ["own"], alike, none, "y").svg.decode()
    places = re.findall(r'<use [^>]*x="([-\d.]+)" y="([-\d.]+)"', drawn)
    on_a_line = Counter(y for _, y in set(places))
    # The axis has a mark of its own there.
    assert max(on_a_line.values()) == len(alike) + 1
