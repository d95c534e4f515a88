"""The fault table: a line for each thing that was done to a run, and what it did to the rows."""

from __future__ import annotations

from dataclasses import dataclass, field

HEAD = ("what was done", "lost rows", "double rows", "extra reads, %")


@dataclass(frozen=True)
class Verdict:
    """How a disturbed run differs from the undisturbed one.

    Attributes:
        num_lost: images without a row.
        num_double: rows of an image that has one already.
        extra_percent: reads of images beyond one each, in percent of the images.
    """

    num_lost: int
    num_double: int
    extra_percent: float


@dataclass
class FaultTable:
    """Collects the verdicts of a session."""

    lines: list[tuple[str, Verdict]] = field(default_factory=list)

    def add(self, done: str, verdict: Verdict) -> None:
        """Take a line; a lost or a double row is a failure of the test that found it."""
        self.lines.append((done, verdict))
        assert (verdict.num_lost, verdict.num_double) == (0, 0), (done, verdict)

    def markdown(self) -> str:
        """As it is published."""
        rows = [HEAD, ("---", "---:", "---:", "---:")]
        rows += [
            (done, str(v.num_lost), str(v.num_double), f"{v.extra_percent:.0f}")
            for done, v in self.lines
        ]
        return "".join(f"| {' | '.join(row)} |\n" for row in rows)
