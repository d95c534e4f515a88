"""The baselines that an evaluation judges as well, and what is said of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from ufd_ray.baselines import Baseline, baseline_named
from ufd_ray.errors import SettingsError
from ufd_ray.evaluation import ScoreColumn
from ufd_ray.evaluation.markdown import cell_text
from ufd_ray.evaluation.paper.rows import BASELINE_COLUMN
from ufd_ray.evaluation.paper.sets import key_of
from ufd_ray.evaluation.set_names import name_of_input
from ufd_ray.settings import EvaluateSettings
from ufd_ray.storage import BaselineInfo, StorageOptions, read_baseline_info

_FEATURES_COLUMN = "features_of_"
_NUM_NAMED = 5


@dataclass(frozen=True, eq=False)
class Compared:
    """A baseline beside our detectors.

    Attributes:
        name: as it was given.
        info: what `baseline.json` says.
        baseline: which it is.
        seen: the sources that it was trained on, by the names that test sets of them have: what
            their manifest said; where it said nothing, the names of the folders they lay in.
    """

    name: str
    info: BaselineInfo
    baseline: Baseline
    seen: tuple[str, ...]

    @property
    def content(self) -> dict[str, Any]:
        """What of it decides an evaluation, wherever it lies; ready for JSON."""
        described = {name: said for name, said in self.info.describe().items() if name != "uri"}
        return described | {"thresholds": dict(self.info.thresholds), "seen": list(self.seen)}

    @property
    def column(self) -> ScoreColumn:
        """Its scores, and where it draws the line."""
        thresholds = self.info.thresholds
        # Whoever read them has seen to it that this one is there.
        default = cast(float, thresholds["default"])
        return ScoreColumn(f"{BASELINE_COLUMN}{self.name}", default, thresholds["tuned"])

    @property
    def features_column(self) -> str:
        """The column of its features, in the rows of an evaluation that draws them."""
        return f"{_FEATURES_COLUMN}{self.name}"


def read_compared(settings: EvaluateSettings, storage: StorageOptions) -> tuple[Compared, ...]:
    """Read what the baselines say of themselves, in the order given.

    Raises:
        SettingsError: one is not there, of a kind that this release does not know, or trained on
            what is no path or URI.
    """
    found = []
    for name, uri in settings.compared_baselines.items():
        given = f"--compare-baseline {name}={uri}"
        info = read_baseline_info(uri, given, storage)
        try:
            baseline = baseline_named(info.name, info.arch, info.options)
            seen = _seen(info)
        except SettingsError as error:
            raise SettingsError(f"{given}: {error}") from error
        found.append(Compared(name, info, baseline, seen))
    return tuple(found)


def _seen(info: BaselineInfo) -> tuple[str, ...]:
    named = map(key_of, info.sources) if info.sources else map(name_of_input, info.inputs)
    return tuple(dict.fromkeys(named))


def section_of(compared: Sequence[Compared]) -> list[str]:
    """Lines of `tables.md`: which the baselines are; none without any."""
    if not compared:
        return []
    lines = ["## Baselines", ""]
    for one in compared:
        options = "".join(f", {name} {word}" for name, word in one.info.options.items())
        published = "as published" if one.info.is_published else "not as published"
        weights = (one.info.starts_from or "").removeprefix(f"{one.info.arch}:")
        start = f", starting from {weights}" if weights else ""
        trained = f"; trained on {_named(one.seen)}" if one.seen else ""
        lines.append(
            f"- {one.name}: {one.info.name}, {one.info.arch}{options}{cell_text(start)}"
            f" ({published}){trained}"
        )
    return lines


def _named(sources: Sequence[str]) -> str:
    named, more = sources[:_NUM_NAMED], len(sources) - _NUM_NAMED
    return ", ".join([*map(cell_text, named), *([f"{more:,} more"] if more > 0 else [])])


def describe_compared(compared: Sequence[Compared]) -> dict[str, Any] | None:
    """For `evaluation.json`, by name; None without any."""
    return {one.name: one.info.describe() for one in compared} or None


def features_columns(compared: Sequence[Compared]) -> list[str]:
    """The columns of the features of those that have some."""
    return [one.features_column for one in compared if one.baseline.has_features]
