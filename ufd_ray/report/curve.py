"""How a fit went, as a picture. Told apart by shape, so that it can be read in grey as well."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

CURVE_INCHES = (8.0, 3.4)
_GRID = {"color": "0.85", "linewidth": 0.6}
_FIRST = {"color": "0.1", "linestyle": "-", "marker": "o", "markersize": 3.5}
_SECOND = {"color": "0.45", "linestyle": "--", "marker": "s", "markersize": 3.5}


def draw_curve(
    curve: Sequence[dict[str, float]], *, picture_format: str = "png", title: str = ""
) -> bytes:
    """Draw a training curve.

    Args:
        curve: of `fit_paper` (entries with `epoch`) or of `fit_logistic` (entries with `step`), at
            least one entry.
        picture_format: `png` or `svg`.
        title: above it.

    Returns:
        The picture's bytes.
    """
    # Here, not above: whoever only reads runs or fits without a picture needs none of it. Figures
    # made without pyplot belong to nobody else, and are gone with their last user.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=CURVE_INCHES, layout="constrained")
    FigureCanvasAgg(figure)
    if title:
        figure.suptitle(title, fontsize=10)
    if "epoch" in curve[0]:
        _draw_epochs(figure, curve)
    else:
        _draw_steps(figure, curve)
    picture = io.BytesIO()
    # No date in it: the same curve is the same file.
    plain = {"Date": None} if picture_format == "svg" else {"Software": None}
    figure.savefig(picture, format=picture_format, dpi=120, metadata=plain)
    return picture.getvalue()


def _draw_epochs(figure: Any, curve: Sequence[dict[str, float]]) -> None:
    """Losses on the left, accuracy on the right, learning-rate drops in both."""
    epochs = [entry["epoch"] for entry in curve]
    loss, accuracy = figure.subplots(1, 2)
    loss.plot(epochs, [entry["train_loss"] for entry in curve], label="training", **_FIRST)
    loss.plot(epochs, [entry["validation_loss"] for entry in curve], label="validation", **_SECOND)
    loss.set_ylabel("cross entropy")
    loss.legend(frameon=False)
    right = [100 * entry["validation_accuracy"] for entry in curve]
    accuracy.plot(epochs, right, label="validation", **_SECOND)
    accuracy.set_ylabel("validation accuracy, %")
    rates = [entry["learning_rate"] for entry in curve]
    for axes in (loss, accuracy):
        _finish(axes, "epoch")
        for number in range(1, len(curve)):
            if rates[number] != rates[number - 1]:
                place = epochs[number] - 0.5
                axes.axvline(place, color="0.3", linewidth=0.9, linestyle=":")
                if axes is loss:  # the other one's line rises into that corner
                    _annotate(axes, f"learning rate {rates[number]:.0e}", (place, 1.0))


def _annotate(axes: Any, text: str, place: tuple[float, float]) -> None:
    axes.annotate(
        text,
        place,
        xycoords=("data", "axes fraction"),
        xytext=(2, -2),
        textcoords="offset points",
        rotation=90,
        verticalalignment="top",
        fontsize=7,
        color="0.3",
    )


def _draw_steps(figure: Any, curve: Sequence[dict[str, float]]) -> None:
    """The objective on the left, how far it was from its optimum on the right."""
    steps = [entry["step"] for entry in curve]
    loss, decrement = figure.subplots(1, 2)
    loss.plot(steps, [entry["loss"] for entry in curve], **_FIRST)
    loss.set_ylabel("objective after the step")
    # Zero has no place on such an axis; the smallest number that a fit can tell from it does.
    relative = [max(entry["relative_decrement"], 1e-18) for entry in curve]
    decrement.semilogy(steps, relative, **_FIRST)
    decrement.set_ylabel("relative distance from the optimum")
    for axes in (loss, decrement):
        _finish(axes, "step")


def _finish(axes: Any, what: str) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel(what)
    axes.grid(**_GRID)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
