"""The picture of a training curve."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from ufd_ray.report import draw_curve

EPOCHS = [
    {
        "epoch": number,
        "learning_rate": 1e-4 if number < 7 else 1e-5,
        "train_loss": 1 / number,
        "validation_loss": 1.2 / number,
        "validation_accuracy": 1 - 0.5 / number,
    }
    for number in range(1, 12)
]
STEPS = [
    {"step": number, "loss": 10.0 / number, "relative_decrement": 10.0 ** -(2**number)}
    for number in range(1, 6)
]


@pytest.mark.parametrize("curve", [EPOCHS, STEPS, EPOCHS[:1], STEPS[:1]])
def test_a_picture_comes_out_and_is_the_same_again(curve: list[dict[str, float]]) -> None:
    picture = draw_curve(curve, title="a probe")
    with Image.open(io.BytesIO(picture)) as image:
        pixels = np.asarray(image.convert("L"))
    assert pixels.shape == (408, 960)
    assert (pixels < 128).mean() > 0.002, "nothing dark is on it"
    assert draw_curve(curve, title="a probe") == picture


def test_nothing_is_told_by_colour_alone() -> None:
    with Image.open(io.BytesIO(draw_curve(EPOCHS))) as image:
        red, green, blue = (np.asarray(image.convert("RGB"))[..., one] for one in range(3))
    assert np.array_equal(red, green)
    assert np.array_equal(red, blue)


def test_what_is_drawn_of_the_paper_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = texts_of(EPOCHS, monkeypatch)
    assert {"training", "validation", "epoch", "cross entropy"} <= texts
    assert "learning rate 1e-05" in texts
    assert "learning rate 1e-04" not in texts, "no drop"


def test_what_is_drawn_of_logistic(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = texts_of(STEPS, monkeypatch)
    assert {"step", "relative distance from the optimum"} <= texts


def test_an_exact_optimum_has_a_place() -> None:
    assert draw_curve([STEPS[0], STEPS[1] | {"relative_decrement": 0.0}])


def test_only_who_draws_imports_the_library() -> None:
    code = "import sys, ufd_ray.report; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def texts_of(curve: list[dict[str, float]], monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Every text on the picture."""
    import matplotlib

    monkeypatch.setitem(matplotlib.rcParams, "svg.fonttype", "none")
    picture = draw_curve(curve, picture_format="svg").decode()
    return {
        line.rpartition("</text>")[0].rpartition(">")[2]
        for line in picture.splitlines()
        if "</text>" in line
    }
