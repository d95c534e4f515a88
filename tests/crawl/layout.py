"""Putting the crawl where it is to lie, with a manifest as an earlier listing would have it."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.crawl.items import Item
from tests.crawl.places import Place

MANIFEST: Any = pa.schema(
    [
        ("uri", pa.string()),
        ("etag", pa.string()),
        ("size_bytes", pa.int64()),
        ("last_modified", pa.timestamp("us", tz="UTC")),
        ("label", pa.int64()),
        ("source", pa.string()),
        ("batch", pa.int64()),
        ("tags", pa.list_(pa.string())),
    ]
)


@dataclass(frozen=True)
class Crawl:
    """The crawl at one place.

    Attributes:
        place: where it lies.
        inputs: what `--input` is given: a manifest of its first part, the prefix of the rest.
        listed: the items of the manifest, in its order; `batch` counts them.
        items: all, by URI.
    """

    place: Place
    inputs: list[str]
    listed: list[Item]
    items: dict[str, Item] = field(repr=False)

    @property
    def scored(self) -> dict[str, Item]:
        """The items that have a score, by URI."""
        return {uri: item for uri, item in self.items.items() if item.code is None}


def lay_out(
    place: Place, pictures: Sequence[Item], moving: Sequence[Item], odd: Iterable[Item]
) -> Crawl:
    """Put everything there, take the manifest, then delete and replace what moves."""
    odd, listed = list(odd), [*pictures, *moving]
    for item in (*listed, *odd):
        place.put(item.name, item.data)
    rows = []
    for number, item in enumerate(listed):
        row: dict[str, Any] = {"uri": item.name, "label": item.label, "source": item.source}
        row |= {"batch": number, "tags": ["seen", f"no. {number}"]}
        if item in moving:
            row |= vars(place.look_up(item.name))
        rows.append(row)
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, MANIFEST), sink)
    place.put("crawl.parquet", sink.getvalue())
    place.delete("moving/gone.png")
    place.put("moving/longer.png", bytes(5000))
    place.put("moving/same-length.png", bytes(len(moving[-1].data)))
    items = {place.uri(item.name): item for item in (*listed, *odd)}
    return Crawl(place, [place.uri("crawl.parquet"), place.uri("odd")], listed, items)
