"""Where images come from, as far as their rows tell."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_HOST = r"^(?P<host>[A-Za-z][A-Za-z0-9+.-]*://[^/?#]+)"


def sources_of(rows: Any) -> Any:
    """The source of each image: what the manifest says; else the host of its URI, or its folder.

    Args:
        rows: `pa.Table` with `uri`, perhaps with `source`, n rows.

    Returns:
        (n,) `pa.Array` of str, none null.
    """
    uris = rows["uri"].combine_chunks()
    hosts = pc.struct_field(pc.extract_regex(uris, _HOST), "host")
    folders = pc.replace_substring_regex(uris, r"[^/]*$", "")
    found = pc.coalesce(pc.utf8_lower(hosts), folders)
    if "source" not in rows.column_names:
        return found
    return pc.coalesce(rows["source"].combine_chunks().cast(pa.string()), found)


def counts_by_source(rows: Any) -> list[tuple[str, int, int, int]]:
    """Images, scored ones and those called fake by source; as `SourceCounts.add` takes them.

    Args:
        rows: `pa.Table` with `uri`, `status`, `verdict`, perhaps with `source`.
    """
    table = pa.table(
        {
            "source": sources_of(rows),
            "images": pa.array([1] * len(rows), pa.int64()),
            "scored": pc.equal(rows["status"], "scored").cast(pa.int64()),
            "flagged": pc.fill_null(pc.equal(rows["verdict"], "fake"), False).cast(pa.int64()),
        }
    )
    names = ("images", "scored", "flagged")
    found = table.group_by("source").aggregate([(name, "sum") for name in names])
    columns = [found[name].to_pylist() for name in ("source", *(f"{n}_sum" for n in names))]
    return list(zip(*columns, strict=True))
