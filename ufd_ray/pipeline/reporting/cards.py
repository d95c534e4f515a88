"""Rows of a run → cards: what was said of each image, its evidence, and the thumbnails of both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ufd_ray.pipeline.reporting.thumbnails import Looking
from ufd_ray.report import (
    NEIGHBOR_SIDE,
    SIDE,
    Card,
    Gallery,
    Neighbor,
    Picture,
)
from ufd_ray.storage import Known, image_id, scheme_of, why_refused

NUM_NEIGHBORS = 3
"""Of an image's evidence, how much is shown."""
_KNOWN = ("uri", "member", "etag", "size_bytes", "last_modified")
_TITLES = {
    "suspicious": ("Most suspicious", "The highest scores of the run"),
    "unsure": ("Most unsure", "The scores nearest to the threshold"),
    "apart": (
        "Where probe and neighbours disagree most",
        "Of those on which they disagree, the scores farthest from the threshold",
    ),
    "sample": (
        "A sample over all scores",
        "One image drawn from each of up to twelve ranges of the score, the lowest first",
    ),
}
_NUMBERS = {
    "probe_score": "probe",
    "nn_vote": "neighbours’ vote",
    "nn_margin": "neighbours’ margin",
}


def make_galleries(
    picks: Mapping[str, list[dict[str, Any]]],
    offsets: Mapping[int, int],
    looking: Looking | None,
    why_not: str,
    bank: str | None,
) -> tuple[Gallery, ...]:
    """The galleries of a run.

    Args:
        picks: of a `Survey`.
        offsets: of members of tars, by position.
        looking: makes thumbnails; None: there are to be none.
        why_not: what then stands in their places.
        bank: URI of the bank; None: there is none.
    """
    rows = {row["image_id"]: row for chosen in picks.values() for row in chosen}
    near = {one["image_id"]: one for row in rows.values() for one in _nearest(row)}
    pictures = _look(
        {
            name: Known(**{k: row[k] for k in _KNOWN}, offset=offsets.get(row["position"]))
            for name, row in rows.items()
        },
        SIDE,
        looking,
        why_not,
    )
    evidence = _look_at_evidence(near, bank, looking, why_not)
    cards = {name: _card(row, pictures[name], evidence) for name, row in rows.items()}
    return tuple(
        Gallery(title, f"{words}; of the same bytes one.", _cards(picks[kind], cards))
        for kind, (title, words) in _TITLES.items()
    )


def _look_at_evidence(
    near: Mapping[str, dict[str, Any]], bank: str | None, looking: Looking | None, why_not: str
) -> dict[str, Picture]:
    """A picture of each neighbour whose file the bank may name, and names whole."""
    pictures, wanted = {}, {}
    allow_http = looking is not None and looking.allow_http
    for name, one in near.items():
        uri = one["uri"]
        # Its URI alone is told, and not the member of an archive.
        if image_id(uri) != name:
            pictures[name] = Picture(why_not="lies in an archive")
        elif why_refused(uri, from_scheme=scheme_of(bank or ""), allow_http=allow_http):
            pictures[name] = Picture(why_not="of a place that this bank may not name")
        else:
            wanted[name] = Known(uri)
    return pictures | _look(wanted, NEIGHBOR_SIDE, looking, why_not)


def _look(
    wanted: Mapping[str, Known], side: int, looking: Looking | None, why_not: str
) -> dict[str, Picture]:
    if looking is None:
        return dict.fromkeys(wanted, Picture(why_not=why_not))
    return dict(zip(wanted, looking.look(list(wanted.values()), side), strict=True))


def _cards(rows: Iterable[dict[str, Any]], cards: Mapping[str, Card]) -> tuple[Card, ...]:
    return tuple(cards[row["image_id"]] for row in rows)


def _nearest(row: dict[str, Any]) -> list[dict[str, Any]]:
    return list((row["neighbors"] or [])[:NUM_NEIGHBORS])


def _card(row: dict[str, Any], picture: Picture, evidence: Mapping[str, Picture]) -> Card:
    said = [f"called {row['verdict']}" if row["verdict"] != "unsure" else "left unsure"]
    numbers = [f"{words} {row[n]:.3f}" for n, words in _NUMBERS.items() if row[n] is not None]
    said.append(" · ".join(numbers))
    if row["out_of_bank"]:
        said.append("unlike all that the bank holds")
    neighbors = tuple(
        Neighbor(
            one["uri"],
            one["label"],
            one["source"],
            max(0.0, 1.0 - one["similarity"]),
            evidence[one["image_id"]],
        )
        for one in _nearest(row)
    )
    return Card(name_in(row), tuple(said), picture, neighbors)


def name_in(row: Mapping[str, Any]) -> str:
    """An image's name in words: its URI, and the member behind it."""
    return row["uri"] if row["member"] is None else f"{row['uri']} → {row['member']}"
