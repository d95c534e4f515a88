"""The labelled images of a bank: classes, splits, and those that are named to validate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ufd_ray.errors import SettingsError
from ufd_ray.schema import FAKE, REAL

_SPLITS = ("train", "val")
_NUM_NAMED = 3


def with_given_splits(
    training: Iterable[Any], validating: Iterable[Any] | None = None
) -> Iterator[Any]:
    """The tables of the inputs, held to splits that exist.

    Args:
        training: `pa.Table`s of `--input`.
        validating: those of `--val-input`; None: there is none, and splits are left as they are.

    Yields:
        The tables. With `validating`, first those, all of split `val`: of an image that is named
        twice the first mention counts, and what validates must not train. Then the others, of split
        `train` where they say nothing else.

    Raises:
        SettingsError: an unknown split; one of `--val-input` that says `train`.
    """
    for table in validating or ():
        training_too = table.filter(pc.equal(_splits(table, "--val-input"), "train"))
        if len(training_too):
            raise SettingsError(
                f"--val-input: its column `split` says that {training_too['uri'][0]} trains; take"
                " the image out, or name the manifest by --input, where that column decides"
            )
        yield _with_split(table, "val")
    for table in training:
        given = _splits(table, "--input")
        yield table if validating is None else _with_split(table, given)


def _splits(table: Any, flag: str) -> Any:
    if "split" not in table.column_names:
        return pa.nulls(len(table), pa.string())
    given = set(table["split"].drop_null().unique().to_pylist())
    if unknown := given - set(_SPLITS):
        raise SettingsError(f"{flag}: split {min(unknown)!r}; expected train or val")
    return table["split"]


def _with_split(table: Any, split: Any) -> Any:
    """The table with this split, a column or one word for all; `train` where the column is null."""
    column = pa.array([split] * len(table), pa.string()) if isinstance(split, str) else split
    column = pc.coalesce(column, pa.scalar("train"))
    if "split" not in table.column_names:
        return table.append_column("split", column)
    return table.set_column(table.column_names.index("split"), "split", column)


def held_to_labels(tables: Iterable[Any], *, val_input: bool = False) -> Iterator[Any]:
    """The tables as they pass, held to what learning needs: labels, of both classes.

    Args:
        tables: of a bank's manifest, each image once.
        val_input: whether there are images of `--val-input`, all of split `val`.

    Raises:
        SettingsError: images without a label; one class alone, of those that train or of those that
            `--val-input` names.
    """
    counts: Counter[tuple[bool, int]] = Counter()
    for table in tables:
        require_labels(table, "--input or --val-input" if val_input else "--input")
        labels = table["label"].to_pylist()
        splits = table["split"].to_pylist() if val_input else [None] * len(labels)
        counts.update((split == "val", label) for split, label in zip(splits, labels, strict=True))
        yield table
    if not counts:
        return
    for validates in (False, True) if val_input else (False,):
        num_real, num_fake = counts[validates, REAL], counts[validates, FAKE]
        if not (num_real and num_fake):
            raise SettingsError(
                f"--val-input: {num_real:,} real and {num_fake:,} fake images; validation needs"
                " both"
                if validates
                else f"--input: {num_real:,} real and {num_fake:,} fake images"
                f"{' beside those that validate' if val_input else ''}; both are needed"
            )


def require_labels(table: Any, flags: str) -> None:
    """Refuse images without a label.

    Args:
        table: `pa.Table` of a manifest.
        flags: by which they were named, for the message.

    Raises:
        SettingsError: there are some; a few are named.
    """
    missing = _rows_without_label(table)
    if len(missing):
        names = ", ".join(missing["uri"].slice(0, _NUM_NAMED).to_pylist())
        raise SettingsError(
            f"{flags}: {len(missing):,} images have no label ({names} …); expected a manifest"
            " with a column `label`, or the folders 0_real and 1_fake in the path"
        )


def _rows_without_label(table: Any) -> Any:
    if "label" not in table.column_names:
        return table
    return table.filter(pc.is_null(table["label"]))
