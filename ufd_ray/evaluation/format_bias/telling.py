"""What is said of the files of all sets: lines for the terminal, and a table."""

from __future__ import annotations

from collections.abc import Mapping

from ufd_ray.evaluation.format_bias.guard import FEWEST, MARGIN, FormatBias
from ufd_ray.evaluation.intervals import Interval
from ufd_ray.evaluation.markdown import cell_text

_NUM_NAMED = 3
_WORTH_NAMING = 0.1


def bias_lines(
    given: Mapping[str, FormatBias],
    aligned: Mapping[str, FormatBias] | None,
    quality: int | None = None,
) -> list[str]:
    """What the terminal says.

    Args:
        given: of the files as they are, by set.
        aligned: of what they were made into; None: they were left as they are.
        quality: at which; None likewise.
    """
    lines = []
    for name, bias in given.items():
        if bias.found:
            before = "warning: " if aligned is None else ""
            lines.append(f"{before}set {name} as it came: {_of_one(bias)}")
        if aligned is not None and bias.average_precision is not None:
            after = aligned[name]
            before = "warning: " if after.found else ""
            lines.append(f"{before}set {name} aligned: {_what_is_left(after)}")
        if quality is not None and bias.shows_after(quality):
            lines.append(
                f"warning: set {name} aligned: JPEGs of quality {bias.lowest_quality} and up,"
                f" unevenly spread, were saved anew at {quality}; what the first compression took"
                f" still shows in the pixels: --align-quality {bias.lowest_quality} hides it better"
            )
    if any(bias.found for bias in given.values()) and aligned is None:
        lines.append(
            "a detector may go by such files, too, and its figures on these sets say little: make"
            " files alike by --align"
        )
    if few := [name for name, bias in given.items() if bias.average_precision is None]:
        lines.append(
            f"files of real images and fakes were not compared in {', '.join(few)}: fewer than"
            f" {FEWEST} different ones of a class"
        )
    clean = [n for n, bias in given.items() if bias.average_precision and not bias.found]
    if clean and aligned is None:
        lines.append(f"files tell little of what is real in {', '.join(clean)}")
    return lines


def bias_table(
    given: Mapping[str, FormatBias], aligned: Mapping[str, FormatBias] | None
) -> list[str]:
    """The section of `tables.md`, arguments as for `bias_lines`."""
    lines = [
        "## Format bias",
        "",
        "How well fakes are found without a look at any picture: by a forest of trees,",
        "cross-validated, that sees what files say of themselves alone (size in bytes and pixels,",
        "format, JPEG tables, metadata). Chance: the share of fakes. Beyond chance: the whole",
        f"interval lies over {100 * MARGIN:.0f} % of the way from chance to 100.",
        "",
        "| set | files | chance | average precision | accuracy | beyond chance | most telling |",
        "|---|---|---:|---:|---:|---|---|",
    ]
    for name in given:
        lines.append(_row(name, "as they came", given[name]))
        if aligned is not None:
            lines.append(_row(name, "aligned", aligned[name]))
    return lines


def _row(name: str, files: str, bias: FormatBias) -> str:
    verdict, told = "yes" if bias.found else "no", _told(bias) or "nothing by itself"
    if bias.average_precision is None:
        verdict, told = "not known", f"fewer than {FEWEST} different files of a class"
    cells = (
        *(cell_text(name), files, f"{100 * bias.chance:.2f}"),
        *map(_shown, (bias.average_precision, bias.accuracy)),
        *(verdict, told),
    )
    return f"| {' | '.join(cells)} |"


def _of_one(bias: FormatBias) -> str:
    told = _told(bias) or "only several traits together tell"
    return f"real images and fakes differ in their files: {_figures(bias)}; {told}"


def _told(bias: FormatBias) -> str:
    named = [one.words for one in bias.telling if one.apart >= _WORTH_NAMING]
    return "; ".join(named[:_NUM_NAMED])


def _what_is_left(bias: FormatBias) -> str:
    if bias.average_precision is None:
        return "too few images are left to compare"
    how = "still tells real images from fakes" if bias.found else "tells little"
    return f"the size of the file, all that differs, {how}: {_figures(bias)}"


def _figures(bias: FormatBias) -> str:
    return (
        f"AP {_shown(bias.average_precision)} without a look at any picture (chance"
        f" {100 * bias.chance:.2f}), accuracy {_shown(bias.accuracy)}"
    )


def _shown(found: Interval | None) -> str:
    if found is None:
        return "–"
    return f"{100 * found.estimate:.2f} [{100 * found.low:.1f}–{100 * found.high:.1f}]"
