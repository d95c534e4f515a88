"""What both image jobs do first: output apart from input, listing, a look at one image."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from ufd_ray.errors import SettingsError, StorageError
from ufd_ray.images import DecodeLimits, Sandbox
from ufd_ray.pipeline.banking.labelled import held_to_labels, with_given_splits
from ufd_ray.settings import InputSettings, PreprocessMode, SplitSettings
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

if TYPE_CHECKING:  # it brings scikit-learn, for which jobs that judge nothing need not wait
    from ufd_ray.pipeline.evaluating.listed_sets import ListedSets

T = TypeVar("T")

_NUM_NAMED = 5
_KNOWN = ["uri", "member", "offset", "etag", "size_bytes"]


def check_apart(inputs: list[str], output: str, flag: str = "--input") -> None:
    """Refuse an output that lies within an input, where a run would find its own files.

    Args:
        inputs: what was named by `flag`.
        output: the output.
        flag: for the message.

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
                f"--output {output} lies within {flag} {uri}: its own files would be read as"
                " images; choose another place"
            )


def _behind_links(uri: str) -> tuple[str, str, str]:
    """Scheme, bucket and key; a local path as it is without symbolic links."""
    place = parse_uri(uri)
    key = os.path.realpath(place.key) if place.scheme == "file" else place.key
    return place.scheme, place.bucket, key


def list_inputs(
    settings: InputSettings,
    folder: str,
    options: StorageOptions,
    *,
    labelled: bool = False,
    sets: ListedSets | None = None,
    ledger: Ledger | None = None,
) -> ManifestInfo:
    """List the inputs into the manifest at `folder`, and say what was found.

    Args:
        settings: which images.
        folder: where the manifest's files go.
        options: how storage is reached.
        labelled: every image has to have a label, as in a bank.
        sets: `labelled` for test sets instead, which are told apart and counted in it.
        ledger: leave out what has not changed since; None: leave out nothing.

    Raises:
        SettingsError: an input that cannot be used, or no images; `labelled`: images without one.
    """
    listing = _Listing(settings, labelled, sets)
    info = write_manifest(
        folder,
        listing.tables(options),
        options,
        limit=settings.limit,
        checked=listing.checked,
        ledger=ledger,
    )
    listing.say(info)
    if ledger is not None:
        say_what_is_new(info)
    return info


def look_over(
    settings: InputSettings, options: StorageOptions, look: Callable[[Iterator[Any]], T]
) -> tuple[ManifestInfo, T]:
    """List the inputs, say what was found, and look at the rows. Writes nothing.

    Args:
        settings: which images.
        options: how storage is reached.
        look: is handed `pa.Table`s of a manifest, in order.

    Raises:
        SettingsError: an input that cannot be used, or no images.
    """
    listing = _Listing(settings, labelled=False)
    with select_images(listing.tables(options), limit=settings.limit) as selection:
        listing.say(selection.info)
        return selection.info, look(selection.tables)


def rehearse(
    settings: InputSettings,
    mode: PreprocessMode,
    size: int,
    options: StorageOptions,
    *,
    labelled: bool = False,
    sets: ListedSets | None = None,
    ledger: Ledger | None = None,
) -> None:
    """The dry run: list and count, then fetch and decode the first image. Writes nothing.

    Raises:
        SettingsError: an input that cannot be used or read, or no images.
    """
    listing = _Listing(settings, labelled, sets)
    first = None
    tables = listing.tables(options)
    with select_images(tables, limit=settings.limit, ledger=ledger) as selection:
        for table in listing.checked(selection.tables):
            if first is None and len(table):
                first = Known(**table.select(_KNOWN).slice(0, 1).to_pylist()[0])
    listing.say(selection.info)
    if ledger is not None:
        say_what_is_new(selection.info)
    if first is None:
        return
    (read,) = fetch([first], options, FetchLimits.of(settings))
    if read.error is not None and (read.error.code.transient or read.error.code == "forbidden"):
        raise SettingsError(f"--input: the first image cannot be read: {first.uri}: {read.error}")
    print(f"read {first.uri}: {_look_at(read, settings, mode, size)}")


def _look_at(read: Fetched, settings: InputSettings, mode: PreprocessMode, size: int) -> str:
    if read.data is None:
        return str(read.error)
    with Sandbox(DecodeLimits.of(settings)) as sandbox:
        (image,) = sandbox.decode([read.data], mode, size)
    return (
        str(image.error) if image.error else f"{image.format}, {image.width}×{image.height} pixels"
    )


class _Listing:
    """The images that a job's settings name, and what is said of them.

    Args:
        settings: which images; some jobs' name those that validate as well.
        labelled: they have labels: for a bank, unless there are test sets.
        sets: what tells these apart; None: there are none.
    """

    def __init__(
        self, settings: InputSettings, labelled: bool, sets: ListedSets | None = None
    ) -> None:
        self._labelled = labelled
        self._sets = sets
        self._inputs = Inputs(
            settings.input,
            settings.include,
            settings.exclude,
            by_folder=labelled,
            image_column=settings.image_column,
            allow_http=settings.allow_http,
        )
        named = settings.val_input if isinstance(settings, SplitSettings) else []
        self._validating = replace(self._inputs, uris=named) if named else None

    def tables(self, options: StorageOptions) -> Iterator[Any]:
        """What the inputs name, as `Inputs.tables` yields it."""
        tables = self._inputs.tables(options)
        if not self._labelled:
            return tables
        if self._sets is not None:
            return self._sets.named(tables)
        if self._validating is None:
            return with_given_splits(tables)
        with_flag = _told_of("--val-input", self._validating.tables(options))
        return with_given_splits(tables, with_flag)

    def checked(self, tables: Iterable[Any]) -> Iterable[Any]:
        """Pass the images on, each once, held to what the job needs of them."""
        if not self._labelled:
            return tables
        if self._sets is not None:
            return self._sets.counted(tables)
        return held_to_labels(tables, val_input=self._validating is not None)

    def say(self, info: ManifestInfo) -> None:
        """Say what was found.

        Raises:
            SettingsError: nothing.
        """
        both = [self._inputs, *([self._validating] if self._validating else [])]
        left_out = sum(inputs.num_left_out for inputs in both)
        num_sidecars = sum(inputs.num_sidecars for inputs in both)
        num_listed = info.num_images + info.num_unchanged + info.num_postponed
        if not num_listed:
            raise SettingsError(
                f"--input {' '.join(self._inputs.uris)}: no images"
                + (f" ({left_out:,} left out by --include/--exclude)" if left_out else "")
            )
        said = [f"{num_listed:,} images listed"]
        if left_out:
            said.append(f"{left_out:,} left out by --include/--exclude")
        if num_sidecars:
            said.append(f"{num_sidecars:,} sidecars in tars left alone")
        if info.num_repeated:
            what_of_them = " (what --val-input names validates)" if self._validating else ""
            said.append(f"{info.num_repeated:,} named more than once{what_of_them}")
        print(" · ".join(said))
        if ignored := set().union(*(inputs.ignored_columns for inputs in both)):
            print(
                "manifest columns not carried through, since the scores have their own:"
                f" {', '.join(sorted(ignored))}"
            )


def _told_of(flag: str, tables: Iterable[Any]) -> Iterator[Any]:
    """The tables as they pass; of what cannot be read, the error names that flag."""
    try:
        yield from tables
    except (SettingsError, StorageError) as error:
        raise type(error)(str(error).replace("--input", flag, 1)) from error


def say_what_is_new(info: ManifestInfo) -> None:
    """Say what an incremental run takes, and what it leaves."""
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
