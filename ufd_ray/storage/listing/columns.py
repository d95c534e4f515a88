"""What an input knows of its images → the columns that every input yields, in their types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ufd_ray.errors import SettingsError
from ufd_ray.schema import FAKE, IMAGE, LABELS, OFFSET, REAL, STATUS, TIMESTAMP

LISTED: Any = pa.schema([field for field in (*IMAGE, OFFSET) if field.name != "image_id"])
"""The columns that every input yields first; its further ones follow."""

_WORDS = {"0": REAL, "0.0": REAL, "real": REAL, "1": FAKE, "1.0": FAKE, "fake": FAKE}
_TYPES = {field.name: field.type for field in (*LABELS, *LISTED, *STATUS)}


def listed_table(known: dict[str, Any], further: dict[str, Any], num_rows: int) -> Any:
    """A table of `LISTED`, nulls where nothing is known, then the further columns.

    Args:
        known: columns of `LISTED`, as arrays or sequences.
        further: columns that are carried through.
        num_rows: of the table.
    """
    own = {
        field.name: known[field.name] if field.name in known else pa.nulls(num_rows, field.type)
        for field in LISTED
    }
    fields = [pa.field(name, column.type) for name, column in further.items()]
    return pa.table(own | further, schema=pa.schema([*LISTED, *fields]))


def folder_label(uri: str) -> int | None:
    """The label that a path through `0_real` or `1_fake` gives, at any depth; None without one."""
    folders = uri.split("/")
    if "0_real" in folders:
        return REAL
    return FAKE if "1_fake" in folders else None


def label_column(names: Sequence[str]) -> dict[str, Any]:
    """The further column `label` of images in these folders."""
    return {"label": pa.array([folder_label(name) for name in names], pa.int8())}


def typed_column(given: str, name: str, column: Any) -> Any:
    """A column of an input in the type that its name asks for, or in its own.

    Args:
        given: how the user named the input, for the message: `--input …`.
        name: of the column.
        column: `pa.ChunkedArray`.

    Raises:
        SettingsError: its values are none of that type.
    """
    wanted = _TYPES.get(name)
    if pa.types.is_dictionary(column.type):  # each batch has a dictionary of its own
        column = pc.cast(column, column.type.value_type)
    if wanted is None:
        return pa.nulls(len(column), pa.string()) if pa.types.is_null(column.type) else column
    try:
        if name == "label":
            return _labels(given, column)
        if name == "etag":
            return pc.utf8_trim(pc.cast(column, pa.string()), '"')
        if wanted == TIMESTAMP:
            return moments(column)
        return pc.cast(column, wanted)
    except pa.ArrowException as error:
        why = " ".join(str(error).split())
        raise SettingsError(
            f"{given}: column {name!r} is {column.type}; expected {wanted} ({why})"
        ) from error


def _labels(given: str, column: Any) -> Any:
    words = pc.utf8_lower(pc.cast(column, pa.string()))
    place = pc.index_in(words, value_set=pa.array(list(_WORDS)))
    unknown = words.filter(pc.and_(pc.is_null(place), pc.is_valid(words)))
    if len(unknown):
        raise SettingsError(
            f"{given}: label {pc.min(unknown).as_py()!r}; expected 0 or real, 1 or fake"
        )
    return pa.array(list(_WORDS.values()), pa.int8()).take(place)


def moments(column: Any) -> Any:
    """Times of any Arrow type, or as text, as `TIMESTAMP`.

    Raises:
        pyarrow.ArrowException: they are none.
    """
    if pa.types.is_string(column.type):
        try:
            column = pc.cast(column, pa.timestamp("ns", tz="UTC"))
        except pa.ArrowInvalid:  # without a zone, they are meant as UTC
            column = pc.cast(column, pa.timestamp("ns"))
    return pc.cast(column, TIMESTAMP, safe=False)  # what is finer than microseconds is cut
