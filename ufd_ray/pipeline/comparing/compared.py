"""The baselines that an evaluation judges as well, and what is said of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ufd_ray.baselines import Baseline, baseline_named
from ufd_ray.errors import SettingsError
from ufd_ray.evaluation import ScoreColumn
from ufd_ray.evaluation.paper.rows import BASELINE_COLUMN
from ufd_ray.settings import EvaluateSettings
from ufd_ray.storage import BaselineInfo, StorageOptions, read_baseline_info


@dataclass(frozen=True, eq=False)
class Compared:
    """A baseline beside our detectors.

    Attributes:
        name: as it was given.
        info: what `baseline.json` says.
        baseline: which it is.
    """

    name: str
    info: BaselineInfo
    baseline: Baseline

    @property
    def column(self) -> ScoreColumn:
        """Its scores, and where it draws the line."""
        thresholds = self.info.thresholds
        default = thresholds["default"]
        return ScoreColumn(
            f"{BASELINE_COLUMN}{self.name}",
            0.5 if default is None else default,
            thresholds.get("tuned"),
        )


def read_compared(settings: EvaluateSettings, storage: StorageOptions) -> tuple[Compared, ...]:
    """Read what the baselines say of themselves, in the order given.

    Raises:
        SettingsError: one is not there, or of a kind that this release does not know.
    """
    found = []
    for name, uri in settings.compared_baselines.items():
        given = f"--compare-baseline {name}={uri}"
        info = read_baseline_info(uri, given, storage)
        try:
            baseline = baseline_named(info.name, info.arch, info.options)
        except SettingsError as error:
            raise SettingsError(f"{given}: {error}") from error
        found.append(Compared(name, info, baseline))
    return tuple(found)


def section_of(compared: Sequence[Compared]) -> list[str]:
    """Lines of `tables.md`: which the baselines are; none without any."""
    if not compared:
        return []
    lines = ["## Baselines", ""]
    for one in compared:
        options = "".join(f", {name} {word}" for name, word in one.info.options.items())
        published = "as published" if one.info.is_published else "not as published"
        lines.append(f"- {one.name}: {one.info.name}, {one.info.arch}{options} ({published})")
    return lines


def describe_compared(compared: Sequence[Compared]) -> dict[str, Any] | None:
    """For `evaluation.json`, by name; None without any."""
    return {one.name: one.info.describe() for one in compared} or None
