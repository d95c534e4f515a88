"""The page about labelling a run's images, with labels that somebody has filled in."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

from tests.docs.pages import block
from tests.docs.room import Room

DRAW, JUDGE = "docs/review.md#draw", "docs/review.md#judge"


def test_from_a_run_to_its_review(
    make_room: Callable[[str, Room | None], Room], published: Room
) -> None:
    room = make_room("review", published)
    (drawn,) = room.run_shell(block(DRAW))
    assert drawn.status == 0, drawn.out + drawn.err
    file = Path(room.names.folder, "review.csv")
    with file.open(newline="") as text:
        rows = list(csv.DictReader(text))
    with file.open("w", newline="") as text:
        writer = csv.DictWriter(text, rows[0])
        writer.writeheader()
        writer.writerows(row | {"label": "real"} for row in rows)
    (judged,) = room.run_shell(block(JUDGE))
    assert judged.status == 0, judged.out + judged.err
    assert f"{len(rows)} images drawn of {len(rows)}: {len(rows)} real" in judged.out
    assert "prevalence (images that are fake): 0.00 %" in judged.out
