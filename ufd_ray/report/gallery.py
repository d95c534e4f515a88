"""Images to look at, each with what was said of it and the evidence for that."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from ufd_ray.report.page import escape, name_of
from ufd_ray.report.thumbnail import NEIGHBOR_SIDE, SIDE
from ufd_ray.schema import FAKE

_LONGEST_REASON = 80


@dataclass(frozen=True)
class Picture:
    """A thumbnail, or why there is none.

    Attributes:
        jpeg: of `make_thumbnail`; None: there is none.
        why_not: in words.
    """

    jpeg: bytes | None = None
    why_not: str = ""


@dataclass(frozen=True)
class Neighbor:
    """An image of the bank as evidence.

    Attributes:
        name: its URI.
        label: 0 real, 1 fake.
        source: where the bank has it from; None: it does not say.
        distance: cosine distance.
        picture: its thumbnail.
    """

    name: str
    label: int
    source: str | None
    distance: float
    picture: Picture


@dataclass(frozen=True)
class Card:
    """One image.

    Attributes:
        name: its URI, with the member behind it.
        said: what was said of it, a line each; plain text.
        picture: its thumbnail.
        neighbors: the nearest of its evidence.
        heat: where it looks generated; None: nobody looked.
    """

    name: str
    said: tuple[str, ...]
    picture: Picture
    neighbors: tuple[Neighbor, ...] = ()
    heat: Picture | None = None


@dataclass(frozen=True)
class Gallery:
    """Some images.

    Attributes:
        title: what they have in common.
        words: how they were chosen.
        cards: the images.
    """

    title: str
    words: str
    cards: tuple[Card, ...]


def tell_gallery(gallery: Gallery) -> list[str]:
    """The section of a page; none without images."""
    if not gallery.cards:
        return []
    cards = "".join(f"<li>{_card(card)}</li>" for card in gallery.cards)
    return [
        f"<h2>{escape(gallery.title)}</h2>",
        f'<p class="note">{escape(gallery.words)}</p>',
        f'<ul class="cards">{cards}</ul>',
    ]


def _card(card: Card) -> str:
    first = card.said[0] if card.said else "not scored"
    lines = "".join(f"<p>{name_of(line)}</p>" for line in card.said)
    near = "".join(f"<li>{_neighbor(neighbor)}</li>" for neighbor in card.neighbors)
    shown = _show(card.picture, SIDE, f"the image, {first}")
    if card.heat is not None:
        shown += _show(card.heat, SIDE, "where it looks generated: yellow")
    evidence = f'<ul class="near" aria-label="nearest images of the bank">{near}</ul>'
    return f'{shown}{lines}<p class="name">{name_of(card.name)}</p>{evidence if near else ""}'


def _neighbor(neighbor: Neighbor) -> str:
    word = "fake" if neighbor.label == FAKE else "real"
    shown = _show(neighbor.picture, NEIGHBOR_SIDE, f"a {word} image of the bank")
    source = f" from {name_of(neighbor.source, 40)}" if neighbor.source else ""
    said = f"<strong>{word}</strong>{source}, distance {neighbor.distance:.3f}"
    # Its box has no room for words.
    why = f"; {_why_not(neighbor.picture)}" if neighbor.picture.jpeg is None else ""
    return f"{shown}<div>{said}{why}<br><small>{name_of(neighbor.name, 80)}</small></div>"


def _show(picture: Picture, side: int, alt: str) -> str:
    if picture.jpeg is None:
        return f'<span class="none">{_why_not(picture) if side == SIDE else ""}</span>'
    data = base64.b64encode(picture.jpeg).decode()
    return (
        f'<img src="data:image/jpeg;base64,{data}" width="{side}" height="{side}"'
        f' alt="{escape(alt[:_LONGEST_REASON])}">'
    )


def _why_not(picture: Picture) -> str:
    return escape(f"no thumbnail: {picture.why_not[:_LONGEST_REASON]}")


def count_pictures(galleries: Sequence[Gallery]) -> int:
    """How many thumbnails there are."""
    return sum(
        picture.jpeg is not None
        for gallery in galleries
        for card in gallery.cards
        for picture in (
            card.picture,
            *([] if card.heat is None else [card.heat]),
            *(neighbor.picture for neighbor in card.neighbors),
        )
    )
