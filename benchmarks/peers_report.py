"""What `peers.py` writes: its turns, one line of JSON each, and a table made of all of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

HEADS = (
    *("peer", "pixels", "precision", "images", "cold", "warm", "images/s", "from", "ours ÷ it"),
    *("peak memory", "RSS", "1 − cosine"),
)


@dataclass(frozen=True)
class Turn:
    """One run of one peer.

    Attributes:
        peer: its name.
        cut: how pixels are cut out.
        precision: in which it computed.
        arch: the encoder.
        kind: of pictures.
        num_images: how many.
        cold: images and weights were not in memory before; programs may have been.
        seconds: of the whole process.
        peak_bytes: memory of all its processes, shared pages divided.
        peak_rss_bytes: the same, shared pages counted in each.
        num_processes: most at a time.
        apart: largest 1 − cosine of a sample's embeddings and those in fp32.
        told: what it said of itself.
    """

    peer: str
    cut: str
    precision: str
    arch: str
    kind: str
    num_images: int
    cold: bool
    seconds: float
    peak_bytes: int
    peak_rss_bytes: int
    num_processes: int
    apart: float
    told: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        state = "cold" if self.cold else "warm"
        return (
            f"{self.peer}, {self.num_images} images, {state}: {self.seconds:.1f} s,"
            f" {self.peak_bytes / 2**30:.2f} GiB in {self.num_processes} processes,"
            f" 1 − cosine {self.apart:.1e}"
        )


def add(folder: Path, turn: Turn) -> None:
    """Keep a turn, beside those that are there."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "peers.jsonl").open("a") as file:
        file.write(json.dumps(asdict(turn)) + "\n")


def read(folder: Path, arch: str, kind: str) -> list[Turn]:
    """All turns of this encoder and these pictures that are kept there."""
    path = folder / "peers.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    turns = [Turn(**json.loads(line)) for line in lines]
    return [turn for turn in turns if (turn.arch, turn.kind) == (arch, kind)]


def table(turns: Sequence[Turn]) -> Iterator[str]:
    """One line a peer and number of images; medians of the warm turns."""
    yield "| " + " | ".join(HEADS) + " |"
    yield "|---|---|---|" + "---:|" * 4 + "---|" + "---:|" * 4
    groups = _groups(turns)
    for (peer, num_images), group in groups.items():
        warm = [turn.seconds for turn in group if not turn.cold]
        cold = [turn.seconds for turn in group if turn.cold]
        ours = next(
            (
                [turn.seconds for turn in other if not turn.cold]
                for (name, num), other in groups.items()
                if name.startswith("ours") and num == num_images and other[0].cut == group[0].cut
            ),
            [],
        )
        cells = [peer, group[0].cut, group[0].precision, f"{num_images:,}"]
        cells.append(f"{median(cold):.1f} s" if cold else "")
        cells.append(f"{median(warm):.1f} s" if warm else "")
        cells.append(f"{num_images / median(warm):.2f}" if warm else "")
        slowest, fastest = (num_images / pick(warm) if warm else 0 for pick in (max, min))
        cells.append(f"{slowest:.2f} to {fastest:.2f}, {len(warm)} turns" if warm else "")
        cells.append(f"{median(warm) / median(ours):.2f}" if warm and ours else "")
        cells.append(f"{max(turn.peak_bytes for turn in group) / 2**30:.2f} GiB")
        cells.append(f"{max(turn.peak_rss_bytes for turn in group) / 2**30:.2f} GiB")
        cells.append(f"{max(turn.apart for turn in group):.1e}")
        yield "| " + " | ".join(cells) + " |"


def remarks(turns: Sequence[Turn]) -> Iterator[str]:
    """What a further image costs, and where our time goes."""
    groups = _groups(turns)
    medians = {
        where: median(warm)
        for where, group in groups.items()
        if (warm := [turn.seconds for turn in group if not turn.cold])
    }
    for peer in dict.fromkeys(name for name, _ in medians):
        numbers = sorted(num for name, num in medians if name == peer)
        few, many = numbers[0], numbers[-1]
        if few < many:
            each = (medians[peer, many] - medians[peer, few]) / (many - few)
            yield (
                f"- {peer}: a further image {1e3 * each:.1f} ms ({1 / each:.2f} images/s),"
                f" all else {medians[peer, few] - each * few:.1f} s"
            )
    for (peer, num_images), group in groups.items():
        told = [turn for turn in group if "whole_run_s" in turn.told and not turn.cold]
        if not told:
            continue
        run = median(turn.told["whole_run_s"] for turn in told)
        before = median(turn.seconds - turn.told["whole_run_s"] for turn in told)
        stages: dict[str, list[float]] = {}
        for turn in told:
            for name, seconds in turn.told["worker_seconds_by_stage"].items():
                stages.setdefault(name, []).append(seconds)
        spent = ", ".join(f"{name} {median(found):.1f}" for name, found in stages.items())
        shares = [turn.told.get("efficiency") or {} for turn in told]
        steady = ", ".join(str(share.get("steady", "not known")) for share in shares)
        yield (
            f"- {peer}, {num_images:,} images, by run.json: the run {run:.1f} s, before and after"
            f" it (imports, Ray's start and end) {before:.1f} s; seconds of workers: {spent};"
            f" steady efficiency of each turn: {steady}"
        )


def _groups(turns: Sequence[Turn]) -> dict[tuple[str, int], list[Turn]]:
    groups: dict[tuple[str, int], list[Turn]] = {}
    for turn in turns:
        groups.setdefault((turn.peer, turn.num_images), []).append(turn)
    return dict(sorted(groups.items(), key=lambda item: (item[0][1], item[0][0] != "ours")))


def write(
    folder: Path, name: str, about: dict[str, Any], turns: Sequence[Turn], notes: Sequence[str]
) -> None:
    """`NAME.md` and `NAME.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    said = [f"- {key}: {value}" for key, value in about.items()]
    lines = [*said, *(f"- {note}" for note in notes), "", *table(turns), "", *remarks(turns)]
    (folder / f"{name}.md").write_text("\n".join(lines) + "\n")
    content = {"machine": about, "notes": list(notes), "turns": [asdict(turn) for turn in turns]}
    (folder / f"{name}.json").write_text(json.dumps(content, indent=1))
