"""What both image jobs do first: storage, listing, the run's own manifest, a look at one image."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow.compute as pc

from ufd_ray.errors import SettingsError
from ufd_ray.images import DecodeLimits, Sandbox
from ufd_ray.schema import FAKE, REAL
from ufd_ray.settings import ImageSettings, PreprocessMode
from ufd_ray.storage import (
    Fetched,
    FetchLimits,
    Inputs,
    Known,
    Ledger,
    ManifestInfo,
    StorageOptions,
    fetch,
    parse_uri,
    select_images,
    write_manifest,
)

_NUM_NAMED = 5
_KNOWN = ["uri", "member", "offset", "etag", "size_bytes"]


def check_apart(inputs: list[str], output: str) -> None:
    """Refuse an output that lies within an input, where a run would find its own files.

    Raises:
        SettingsError: it does; Ray cannot read below it; or one of them is no path or URI.
    """
    if "?" in output:  # Ray takes what follows for a URL's query, and sees no Parquet there
        raise SettingsError(f"--output {output}: has a question mark; choose a place without one")
    *store, place = _behind_links(output)
    for uri in inputs:
        *its_store, prefix = _behind_links(uri)
        folder = prefix.rstrip("/") + "/" if prefix else ""
        if store == its_store and (place.rstrip("/") + "/").startswith(folder):
            raise SettingsError(
                f"--output {output} lies within --input {uri}: its own files would be read as"
                " images; choose another place"
            )


def _behind_links(uri: str) -> tuple[str, str, str]:
    """Scheme, bucket and key; a local path as it is without symbolic links."""
    place = parse_uri(uri)
    key = os.path.realpath(place.key) if place.scheme == "file" else place.key
    return place.scheme, place.bucket, key


def list_inputs(
    settings: ImageSettings,
    folder: str,
    options: StorageOptions,
    *,
    labelled: bool = False,
    ledger: Ledger | None = None,
) -> ManifestInfo:
    """List the inputs into the manifest at `folder`, and say what was found.

    Args:
        settings: which images.
        folder: where the manifest's files go.
        options: how storage is reached.
        labelled: every image has to have a label, as in a bank.
        ledger: leave out what has not changed since; None: leave out nothing.

    Raises:
        SettingsError: an input that cannot be used, or no images; `labelled`: images without one.
    """
    inputs = _inputs(settings, labelled)
    info = write_manifest(
        folder,
        inputs.tables(options),
        options,
        limit=settings.limit,
        checked=_labelled if labelled else iter,
        ledger=ledger,
    )
    _say(inputs, info)
    if ledger is not None:
        _say_what_is_new(info)
    return info


def rehearse(
    settings: ImageSettings,
    mode: PreprocessMode,
    size: int,
    options: StorageOptions,
    *,
    labelled: bool = False,
    ledger: Ledger | None = None,
) -> None:
    """The dry run: list and count, then fetch and decode the first image. Writes nothing.

    Raises:
        SettingsError: an input that cannot be used or read, or no images.
    """
    inputs = _inputs(settings, labelled)
    first = None
    tables = inputs.tables(options)
    with select_images(tables, limit=settings.limit, ledger=ledger) as selection:
        for table in _labelled(selection.tables) if labelled else selection.tables:
            if first is None and len(table):
                first = Known(**table.select(_KNOWN).slice(0, 1).to_pylist()[0])
    _say(inputs, selection.info)
    if ledger is not None:
        _say_what_is_new(selection.info)
    if first is None:
        return
    (read,) = fetch([first], options, FetchLimits.of(settings))
    if read.error is not None and (read.error.code.transient or read.error.code == "forbidden"):
        raise SettingsError(f"--input: the first image cannot be read: {first.uri}: {read.error}")
    print(f"read {first.uri}: {_look_at(read, settings, mode, size)}")


def _look_at(read: Fetched, settings: ImageSettings, mode: PreprocessMode, size: int) -> str:
    if read.data is None:
        return str(read.error)
    with Sandbox(DecodeLimits.of(settings)) as sandbox:
        (image,) = sandbox.decode([read.data], mode, size)
    return (
        str(image.error) if image.error else f"{image.format}, {image.width}×{image.height} pixels"
    )


def _inputs(settings: ImageSettings, labelled: bool) -> Inputs:
    return Inputs(
        settings.input,
        settings.include,
        settings.exclude,
        by_folder=labelled,
        image_column=settings.image_column,
        allow_http=settings.allow_http,
    )


def _say(inputs: Inputs, info: ManifestInfo) -> None:
    left_out = inputs.num_left_out
    num_listed = info.num_images + info.num_unchanged + info.num_postponed
    if not num_listed:
        raise SettingsError(
            f"--input {' '.join(inputs.uris)}: no images"
            + (f" ({left_out:,} left out by --include/--exclude)" if left_out else "")
        )
    said = [f"{num_listed:,} images listed"]
    if left_out:
        said.append(f"{left_out:,} left out by --include/--exclude")
    if inputs.num_sidecars:
        said.append(f"{inputs.num_sidecars:,} sidecars in tars left alone")
    if info.num_repeated:
        said.append(f"{info.num_repeated:,} named more than once")
    print(" · ".join(said))
    if inputs.ignored_columns:
        names = ", ".join(sorted(inputs.ignored_columns))
        print(f"manifest columns not carried through, since the scores have their own: {names}")


def _say_what_is_new(info: ManifestInfo) -> None:
    num_new = info.num_images + info.num_postponed
    print(f"{num_new:,} new or changed, {info.num_unchanged:,} unchanged")
    if info.num_postponed:
        print(f"{info.num_postponed:,} of the new ones are left to a later run (--limit)")
    if info.num_unversioned:
        print(
            f"{info.num_unversioned:,} images are taken because their listing knows neither etag"
            " nor date, by which to tell a change"
        )
    if info.num_older:
        runs = info.older_runs
        more = f" (and of {len(runs) - _NUM_NAMED:,} older runs)" if len(runs) > _NUM_NAMED else ""
        named = " ".join(f"--from-run {run}" for run in runs[:_NUM_NAMED])
        print(
            f"{info.num_older:,} unchanged images were last scored by another detector; rescore"
            f" them from their kept embeddings with: score {named}{more}, or without --incremental"
        )


def _labelled(tables: Iterable[Any]) -> Iterator[Any]:
    """The tables as they pass, held to what a bank needs: labels of both classes, known splits."""
    counts: Counter[int] = Counter()
    for table in tables:
        missing = _rows_without_label(table)
        if len(missing):
            names = ", ".join(missing["uri"].slice(0, 3).to_pylist())
            raise SettingsError(
                f"--input: {len(missing):,} images have no label ({names} …); expected a manifest"
                " with a column `label`, or the folders 0_real and 1_fake in the path"
            )
        if "split" in table.column_names:
            given = set(table["split"].drop_null().unique().to_pylist())
            if unknown := given - {"train", "val"}:
                raise SettingsError(f"--input: split {min(unknown)!r}; expected train or val")
        counts.update(table["label"].to_pylist())
        yield table
    if counts and not (counts[REAL] and counts[FAKE]):
        raise SettingsError(
            f"--input: {counts[REAL]:,} real and {counts[FAKE]:,} fake images; a bank needs both"
        )


def _rows_without_label(table: Any) -> Any:
    if "label" not in table.column_names:
        return table
    return table.filter(pc.is_null(table["label"]))
