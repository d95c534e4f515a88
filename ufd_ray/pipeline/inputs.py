"""What both image jobs do first: storage, listing, the run's own manifest, a look at one image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pyarrow.compute as pc

from ufd_ray.errors import DecodeError, SettingsError
from ufd_ray.images import decode, to_pixels
from ufd_ray.schema import FAKE, REAL
from ufd_ray.settings import ImageSettings, JobSettings, PreprocessMode
from ufd_ray.storage import (
    Fetched,
    FetchLimits,
    Inputs,
    Known,
    ManifestInfo,
    StorageOptions,
    fetch,
    number_images,
    parse_uri,
    write_manifest,
)


def storage_options(settings: JobSettings) -> StorageOptions:
    """How a job reaches storage."""
    options = StorageOptions(s3_endpoint=settings.s3_endpoint)
    if isinstance(settings, ImageSettings):
        options = replace(options, fetch_timeout_s=settings.fetch_timeout_s)
    return options


def check_apart(inputs: list[str], output: str) -> None:
    """Refuse an output that lies within an input: a run would find its own files there.

    Raises:
        SettingsError: it does, or one of them is no path or URI.
    """
    place = parse_uri(output)
    for uri in inputs:
        prefix = parse_uri(uri)
        folder = prefix.key.rstrip("/") + "/" if prefix.key else ""
        same_store = (prefix.scheme, prefix.bucket) == (place.scheme, place.bucket)
        if same_store and (place.key.rstrip("/") + "/").startswith(folder):
            raise SettingsError(
                f"--output {output} lies within --input {uri}: its own files would be read as"
                " images; choose another place"
            )


def list_inputs(
    settings: ImageSettings, folder: str, options: StorageOptions, *, labelled: bool = False
) -> ManifestInfo:
    """List the inputs into the manifest at `folder`, and say what was found.

    Raises:
        SettingsError: an input that cannot be used, or no images; `labelled`: images without one.
    """
    inputs = _inputs(settings, labelled)
    checked = _labelled if labelled else iter
    info = write_manifest(folder, inputs.tables(options), options, settings.limit, checked)
    _say(inputs, info.num_images, info.num_repeated)
    return info


def rehearse(
    settings: ImageSettings,
    mode: PreprocessMode,
    size: int,
    options: StorageOptions,
    *,
    labelled: bool = False,
) -> None:
    """The dry run: list and count, then fetch and decode the first image. Writes nothing.

    Raises:
        SettingsError: an input that cannot be used or read, or no images.
    """
    inputs = _inputs(settings, labelled)
    numbered = number_images(inputs.tables(options), settings.limit)
    num_images, first = 0, None
    for table in _labelled(numbered) if labelled else numbered:
        if first is None and len(table):
            first = Known(**table.select(["uri", "etag", "size_bytes"]).to_pylist()[0])
        num_images += len(table)
    _say(inputs, num_images, 0)
    if first is None:
        return
    (read,) = fetch([first], options, FetchLimits(max_bytes=settings.max_bytes))
    if read.error is not None and (read.error.code.transient or read.error.code == "forbidden"):
        raise SettingsError(f"--input: the first image cannot be read: {first.uri}: {read.error}")
    print(f"read {first.uri}: {_look_at(read, settings, mode, size)}")


def _look_at(read: Fetched, settings: ImageSettings, mode: PreprocessMode, size: int) -> str:
    if read.data is None:
        return str(read.error)
    try:
        image = decode(read.data, max_pixels=settings.max_pixels)
        to_pixels(image, mode=mode, size=size)
    except DecodeError as error:
        return str(error)
    return f"{image.format}, {image.width}×{image.height} pixels"


def _inputs(settings: ImageSettings, labelled: bool) -> Inputs:
    return Inputs(settings.input, settings.include, settings.exclude, by_folder=labelled)


def _say(inputs: Inputs, num_images: int, num_repeated: int) -> None:
    left_out = inputs.num_left_out
    if not num_images:
        raise SettingsError(
            f"--input {' '.join(inputs.uris)}: no images"
            + (f" ({left_out:,} left out by --include/--exclude)" if left_out else "")
        )
    said = [f"{num_images:,} images listed"]
    if left_out:
        said.append(f"{left_out:,} left out by --include/--exclude")
    if num_repeated:
        said.append(f"{num_repeated:,} named more than once")
    print(" · ".join(said))
    if inputs.ignored_columns:
        names = ", ".join(sorted(inputs.ignored_columns))
        print(f"manifest columns not carried through, since the scores have their own: {names}")


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
