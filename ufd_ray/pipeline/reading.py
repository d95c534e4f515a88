"""Stages on CPUs: manifest rows → bytes → pixels. Functions of one Arrow table, each row kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from ufd_ray.images import (
    Alignment,
    ByRecipe,
    Decoded,
    DecodeLimits,
    Form,
    shared_sandbox,
)
from ufd_ray.pipeline.banking.plan import BankPlan
from ufd_ray.pipeline.placement import LIGHT
from ufd_ray.pipeline.progress import timed
from ufd_ray.pipeline.rows import put, put_errors
from ufd_ray.settings import PreprocessMode
from ufd_ray.storage import FetchLimits, Known, StorageOptions, fetch

FILES_IN_MEMORY = 32
"""Images that a task fetches and decodes at a time. The two stages run as one task, so that whole
files never leave it: times `--max-bytes`, this bounds its memory."""
_KNOWN = ("etag", "size_bytes", "last_modified")
_NAMES = ("uri", "member", "offset")

TRAITS: Any = pa.struct(
    [
        pa.field("format", pa.string()),
        pa.field("width", pa.int32()),
        pa.field("height", pa.int32()),
        pa.field("num_bytes", pa.int64()),
        pa.field("quality", pa.uint8()),
        pa.field("tables", pa.uint32()),
        pa.field("sampling", pa.uint8()),
        pa.field("is_progressive", pa.bool_()),
        pa.field("has_exif", pa.bool_()),
        pa.field("has_icc", pa.bool_()),
        pa.field("has_xmp", pa.bool_()),
        pa.field("has_others", pa.bool_()),
    ]
)
"""`FileTraits` in a row. A test holds the two together."""


def light_stages(
    rows: Any, *stages: Callable[[Any], Any], batch_size: int = FILES_IN_MEMORY
) -> Any:
    """A lazy Ray data set → one behind further stages, which run as one task for a few files."""
    for stage in stages:
        rows = rows.map_batches(
            stage,
            batch_size=batch_size,
            num_cpus=LIGHT,
            batch_format="pyarrow",
            zero_copy_batch=True,
        )
    return rows


@dataclass(frozen=True)
class Inspection:
    """What an evaluation wants of files, beside their pixels.

    Attributes:
        with_traits: what their headers say of them.
        alignment: what they are made into first; None: they stay as they are.
        forms: in which images are wanted as well.
    """

    with_traits: bool = False
    alignment: Alignment | None = None
    forms: tuple[Form, ...] = ()

    @property
    def num_pictures(self) -> int:
        """Pictures that the encoder sees of each image."""
        return 1 + len(self.forms)

    @property
    def columns(self) -> list[str]:
        """The columns of `TRAITS` that rows get."""
        return ["traits", *(["aligned_traits"] * bool(self.alignment))] * self.with_traits


def fetch_images(
    rows: Any, *, storage: StorageOptions, limits: FetchLimits, tally: Any = None
) -> Any:
    """Read the objects of a batch.

    Args:
        rows: `pa.Table` with the manifest's columns.
        storage: how storage is reached.
        limits: bounds of fetching.
        tally: where times are reported; None: nowhere.

    Returns:
        The same rows with `data` (null where it failed), `error_code`, `error_message`,
        `content_hash` (SHA-256 of the bytes, hex), and what is now known of the objects.
    """
    with timed(tally, "fetch", len(rows)):
        named = [name for name in (*_NAMES, *_KNOWN) if name in rows.column_names]
        known = [Known(**row) for row in rows.select(named).to_pylist()]
        fetched = fetch(known, storage, limits)
    for name in _KNOWN:
        rows = put(rows, name, [getattr(f.known, name) for f in fetched])
    rows = put_errors(rows, [f.error for f in fetched])
    hashes = [None if f.data is None else hashlib.sha256(f.data).hexdigest() for f in fetched]
    rows = put(rows, "content_hash", hashes)
    return rows.append_column("data", pa.array([f.data for f in fetched], pa.large_binary()))


def decode_images(
    rows: Any,
    *,
    mode: PreprocessMode,
    size: int,
    limits: DecodeLimits,
    bank: BankPlan | None = None,
    inspection: Inspection | None = None,
    tally: Any = None,
) -> Any:
    """Decode a batch, cut out what the encoder sees and make views, in a process apart.

    Args:
        rows: `pa.Table` from `fetch_images`.
        mode: the encoder's preprocessing.
        size: the encoder's input side, pixels.
        limits: bounds of decoding.
        bank: what a bank wants of the images; None: they are for no bank.
        inspection: what an evaluation wants of the files; None: they are for none.
        tally: where times are reported; None: nowhere.

    Returns:
        The same rows without `data`, with `format`, `width`, `height` and `pixels`: uint8
        (size, size, 3) as bytes, null where there is an error. For a bank, with `split`; where it
        wants views, with `view_pixels`: uint8 (views, size, size, 3) likewise; so also where an
        evaluation wants further forms. With `traits`, and `aligned_traits`, where it wants them.
    """
    if bank:
        rows = bank.with_split(rows)
    views = bank.views(rows) if bank else None
    sandbox = shared_sandbox(limits)
    before = sandbox.core_seconds
    with timed(tally, "decode", len(rows)) as report:
        files = (data.as_py() for data in rows["data"])  # a copy each: one at a time
        wanted = inspection or Inspection()
        decoded = sandbox.decode(
            files,
            mode,
            size,
            views,
            alignment=wanted.alignment,
            with_traits=wanted.with_traits,
            forms=wanted.forms,
        )
        report.core_seconds = sandbox.core_seconds - before
    rows = _with_pixels(rows, decoded)
    for place, name in enumerate(wanted.columns):
        traits = [asdict(d.traits[place]) if d.traits else None for d in decoded]
        rows = rows.append_column(name, pa.array(traits, TRAITS))
    if views is None and not wanted.forms:
        return rows
    view_pixels = pa.array([d.view_pixels for d in decoded], pa.large_binary())
    return rows.append_column("view_pixels", view_pixels)


def decode_by_recipe(
    rows: Any,
    *,
    wanted: Callable[[Any], list[ByRecipe | None]],
    limits: DecodeLimits,
    alignment: Alignment | None = None,
    tally: Any = None,
) -> Any:
    """Decode a batch and make the pixels that recipes ask for, in a process apart.

    Args:
        rows: `pa.Table` from `fetch_images`.
        wanted: rows → how the pixels of each are made; None where there are no bytes.
        limits: bounds of decoding.
        alignment: what files are made into first; None: they stay as they are.
        tally: where times are reported; None: nowhere.

    Returns:
        As of `decode_images`; `pixels` of the recipe's size.
    """
    sandbox = shared_sandbox(limits)
    before = sandbox.core_seconds
    with timed(tally, "decode", len(rows)) as report:
        files = (data.as_py() for data in rows["data"])  # a copy each: one at a time
        decoded = sandbox.decode_by_recipe(files, wanted(rows), alignment=alignment)
        report.core_seconds = sandbox.core_seconds - before
    return _with_pixels(rows, decoded)


def _with_pixels(rows: Any, decoded: Sequence[Decoded]) -> Any:
    rows = put_errors(rows, [d.error for d in decoded])
    for name in ("format", "width", "height"):
        rows = put(rows, name, [getattr(d, name) for d in decoded])
    rows = rows.drop_columns(["data"])
    return rows.append_column("pixels", pa.array([d.pixels for d in decoded], pa.large_binary()))
