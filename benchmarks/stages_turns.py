"""What `stages.py` measures: one stage on one kind of input, and the ceiling above it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from decode_isolation import measured

HEADS = (
    *("stage", "of", "images/s", "from", "images/s a core", "MB/s"),
    *("ceiling", "its images/s", "share"),
)


@dataclass
class Case:
    """One stage on one kind of input.

    Attributes:
        stage: its name.
        of: what it is given.
        num_images: that `run` takes.
        num_bytes: of an image, of what the stage is chiefly about.
        run: does it once.
        ceiling: what it is held against.
        reached: images/s of the ceiling, measured anew by each call; None: there is none.
        seconds: of `run` by the clock, one number a turn.
        work: seconds of all cores, of this process and its children; empty: done elsewhere.
        ceilings: images/s, one number a turn.
        notes: what else is to be said.
    """

    stage: str
    of: str
    num_images: int
    num_bytes: float
    run: Callable[[], object]
    ceiling: str = ""
    reached: Callable[[], float] | None = None
    seconds: list[float] = field(default_factory=list)
    work: list[float] = field(default_factory=list)
    ceilings: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Images a second, by the clock: the median."""
        return self.num_images / median(self.seconds)

    @property
    def rate_of_a_core(self) -> float | None:
        """Images for a second of a core's work: the median."""
        return self.num_images / median(self.work) if self.work and median(self.work) else None

    @property
    def share(self) -> float | None:
        """Of its ceiling."""
        return self.rate / median(self.ceilings) if self.ceilings else None

    def cells(self) -> list[str]:
        worst, best = (self.num_images / pick(self.seconds) for pick in (max, min))
        core, share = self.rate_of_a_core, self.share
        return [
            self.stage,
            self.of,
            _number(self.rate),
            f"{_number(worst)} to {_number(best)}",
            _number(core) if core else "",
            _number(self.rate * self.num_bytes / 1e6),
            self.ceiling,
            _number(median(self.ceilings)) if self.ceilings else "",
            (f"{share:.1%}" if share >= 0.001 else f"{share:.1e}") if share else "",
        ]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        plain = {k: v for k, v in vars(self).items() if k not in ("run", "reached")}
        figures = {"images_per_s": self.rate, "images_per_s_a_core": self.rate_of_a_core}
        return plain | figures | {"share": self.share}


def take_turns(cases: Sequence[Case], rounds: int, *, work_is_here: bool = True) -> None:
    """Run all cases, and all of their ceilings, by turns. A round before is for warming up.

    Args:
        cases: of one kind, ready to run.
        rounds: turns of each.
        work_is_here: they compute in this process and its children, so that work can be counted.
    """
    for turn in range(rounds + 1):
        for case in cases:
            seconds, work = measured(case.run)
            if turn == 0:
                continue
            case.seconds.append(seconds)
            if work_is_here:
                case.work.append(work)
            if case.reached is not None:
                case.ceilings.append(case.reached())
    for case in cases:
        print("| " + " | ".join(case.cells()) + " |", flush=True)


def table(cases: Sequence[Case]) -> Iterator[str]:
    """One line a case; medians, and the slowest and fastest turn."""
    yield "| " + " | ".join(HEADS) + " |"
    yield "|---|---|---:|---|---:|---:|---|---:|---:|"
    for case in cases:
        yield "| " + " | ".join(case.cells()) + " |"


def write(folder: Path, about: dict[str, Any], cases: Sequence[Case]) -> None:
    """`stages.md` and `stages.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    said = [f"- {name}: {value}" for name, value in about.items()]
    notes = [f"- {case.stage}, {case.of}: {note}" for case in cases for note in case.notes]
    (folder / "stages.md").write_text("\n".join([*said, "", *table(cases), "", *notes]) + "\n")
    content = {"machine": about, "stages": [case.to_dict() for case in cases]}
    (folder / "stages.json").write_text(json.dumps(content, indent=1))


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
