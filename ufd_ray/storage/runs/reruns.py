"""Images of published runs as a new run's input: those that failed, or all that were kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset
from obstore.exceptions import BaseError

from ufd_ray.errors import ErrorCode, SettingsError, StorageError
from ufd_ray.schema import DETECTION, EMBEDDING_AT, IMAGE, OFFSET, OWN_NAMES
from ufd_ray.storage.containers.parquet_embeddings import embedding_places, open_embeddings
from ufd_ray.storage.foreign_errors import explain
from ufd_ray.storage.runs.embeddings import embedding_files
from ufd_ray.storage.runs.history import PublishedRun, published_runs
from ufd_ray.storage.stores import StorageOptions, open_filesystem
from ufd_ray.storage.uris import join_uri, parse_uri

_TRANSIENT = [code.value for code in ErrorCode if code.transient]
_OF_THE_IMAGE = [field.name for field in IMAGE if field.name != "image_id"]
_OF_THE_OBJECT = ("etag", "size_bytes", "last_modified")


def find_runs(
    root: str, names: Sequence[str], flag: str, options: StorageOptions
) -> list[PublishedRun]:
    """The published runs of these names, oldest first.

    Args:
        root: where they lie.
        names: their ids.
        flag: which asked for them, for the message.
        options: how storage is reached.

    Raises:
        SettingsError: one is not there, or not published.
        StorageError: the storage does not say.
    """
    runs = [run for run in published_runs(root, options) if run.run_id in names]
    if missing := sorted(set(names) - {run.run_id for run in runs}):
        raise SettingsError(
            f"{flag} {missing[0]}: no published run of that name below {root}/runs/"
        )
    return runs


def failed_images(run: PublishedRun, options: StorageOptions) -> Iterator[Any]:
    """The images of a run that ended in a transient error, as they are now.

    What the listing knew of an object then is left out: it may have changed, and is read as it is.
    A tar member is found by its place, so the tar has to be the same one.

    Yields:
        `pa.Table`s as `Inputs.tables` does: `uri`, …, `offset`, then the further columns.
    """
    failed = _scan(run.score_files, ["image_id"], options, pc.field("error_code").isin(_TRANSIENT))
    ids = pa.array([name for rows in failed for name in rows["image_id"].to_pylist()], pa.string())
    manifest = _open([join_uri(run.uri, "manifest")], options)
    # Where that run took its images from earlier ones, its manifest says what became of them there.
    further = [name for name in manifest.schema.names if name not in OWN_NAMES]
    wanted = [*_OF_THE_IMAGE, OFFSET.name, *further]
    for batch in manifest.scanner(
        columns=wanted, filter=pc.field("image_id").isin(ids)
    ).to_batches():
        rows = pa.Table.from_batches([batch])
        own = pc.is_null(rows["member"])
        for name in _OF_THE_OBJECT:
            column = pc.if_else(own, pa.scalar(None, rows[name].type), rows[name])
            rows = rows.set_column(rows.column_names.index(name), name, column)
        yield rows


def scored_images(runs: Sequence[PublishedRun], options: StorageOptions) -> Iterator[Any]:
    """The images of runs with what their bytes and pixels were found to be, newest run first.

    Yields:
        `pa.Table`s as `Inputs.tables` does; among the further columns are those of `STATUS`, and
        `embedding_at`, null for images that failed.

    Raises:
        SettingsError: the `run.json` of one does not say which files there are.
        StorageError: a file cannot be read, or an image was scored and no embedding is kept of it.
    """
    left_out = {field.name for field in DETECTION}
    for run in reversed(runs):
        kept = set(embedding_files(run.uri, run.document))
        for file in run.score_files:
            columns = [name for name in _open([file], options).schema.names if name not in left_out]
            ids, places = _kept_beside(file, kept, options)
            for rows in _scan([file], columns, options):
                row = pc.index_in(rows["image_id"], value_set=ids)
                lost = pc.and_(pc.is_null(row), pc.is_null(rows["error_code"]))
                if pc.any(lost).as_py():
                    uri = rows["uri"][pc.index(lost, True).as_py()]
                    raise StorageError(f"no embedding is kept of {uri}, which was scored")
                yield rows.drop_columns(["image_id"]).append_column(EMBEDDING_AT, places.take(row))


def _kept_beside(score_file: str, kept: set[str], options: StorageOptions) -> tuple[Any, Any]:
    """Ids of the images in a file of scores whose embeddings are kept, and where these lie."""
    folder, _, name = score_file.rpartition("/scores/")
    uri = f"{folder}/embeddings/{name}"
    if uri not in kept:
        return pa.array([], pa.string()), pa.array([], EMBEDDING_AT.type)
    try:
        with open_embeddings(uri, options) as (parquet, info):
            ids = parquet.read(columns=["image_id"])["image_id"].combine_chunks()
            return ids, embedding_places(parquet, info, np.arange(len(ids)))
    except (OSError, LookupError, pa.ArrowException, BaseError) as error:
        raise StorageError(f"kept embeddings {uri} cannot be read ({explain(error)})") from error


def _scan(
    files: Sequence[str], columns: list[str], options: StorageOptions, wanted: Any = None
) -> Iterator[Any]:
    for batch in _open(files, options).scanner(columns=columns, filter=wanted).to_batches():
        yield pa.Table.from_batches([batch])


def _open(uris: Sequence[str], options: StorageOptions) -> Any:
    paths = [parse_uri(uri).path for uri in uris]
    filesystem = open_filesystem(parse_uri(uris[0]), options)
    source = paths[0] if len(paths) == 1 and not paths[0].endswith(".parquet") else paths
    return pa.dataset.dataset(source, format="parquet", filesystem=filesystem)
