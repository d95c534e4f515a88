"""Which rows of a run are done already: Ray Data's own checkpoint, in the run's folder.

Ray Data announces the rows of a file, writes the file, then commits the announcement; what was
announced and never committed it deletes when the run is taken up again. Leaving out the rows that
are done is our own one statement, by one bit an image: Ray Data's filter is an actor that asks for
a whole CPU and 1 GiB of memory, and on a machine of two CPUs waits for them for ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import ray
import ray.data
from ray.data.checkpoint import CheckpointConfig, CheckpointManager

from ufd_ray.errors import StorageError
from ufd_ray.schema import POSITION
from ufd_ray.storage import (
    RunFolder,
    delete_objects,
    list_folder,
    open_filesystem,
    parse_uri,
    read_small_tables,
)

_PENDING = ".pending.parquet"
"""Ends the names of announcements that are not committed."""


def rows_done(run: RunFolder, num_images: int) -> npt.NDArray[np.bool_]:
    """Which rows of the manifest lie in `parts/` for good: (num_images,), by position.

    Raises:
        StorageError: the checkpoint cannot be listed or read.
    """
    done = np.zeros(num_images, dtype=bool)
    committed = [
        uri
        for uri in list_folder(run.checkpoint, run.options)
        if uri.endswith(".parquet") and not uri.endswith(_PENDING)
    ]
    try:
        for rows in read_small_tables(committed, run.options):
            done[np.asarray(rows[POSITION.name])] = True
    except (pa.ArrowException, OSError, LookupError) as error:
        raise StorageError(
            f"{run.checkpoint} cannot be read ({' '.join(str(error).split())[:300]}); to begin"
            f" anew, delete {run.uri}"
        ) from error
    return done


class LeaveOut:
    """Ray stage, a function of one Arrow table: only the rows that are not done yet.

    Args:
        done: (num_images,), by position.
    """

    def __init__(self, done: npt.NDArray[np.bool_]) -> None:
        self._bits = ray.put(np.packbits(done))

    def __call__(self, rows: Any) -> Any:
        """`pa.Table` with `position` → some of its rows."""
        positions = np.asarray(rows[POSITION.name])
        done = ray.get(self._bits)[positions // 8] >> (7 - positions % 8) & 1
        return rows.filter(pa.array(done == 0))


class _Recovery(CheckpointManager):  # type: ignore[misc] # Ray has no types
    def load_checkpoint(
        self, data_file_dir: str | None = None, data_file_filesystem: Any = None
    ) -> tuple[None, int]:
        """Delete what was never committed; nothing for Ray Data's filter to leave out."""
        self._clean_pending_checkpoints(data_file_dir, data_file_filesystem)
        return None, 0


def _forget_committed(run: RunFolder) -> None:
    """Delete the announcements of what is committed as well.

    In object storage a commit is a copy and a deletion. Of whoever was killed between the two, Ray
    Data would find the announcement, and delete the file of rows that are done.
    """
    there = set(list_folder(run.checkpoint, run.options))
    announced = [uri for uri in there if uri.endswith(_PENDING)]
    committed = [uri for uri in announced if uri.removesuffix(_PENDING) + ".parquet" in there]
    if committed:
        delete_objects(committed, run.options)


@contextmanager
def checkpointed(run: RunFolder) -> Iterator[None]:
    """Flows of this block note the rows that they append.

    Raises:
        StorageError: the checkpoint cannot be listed, or tidied.
    """
    _forget_committed(run)
    context = ray.data.DataContext.get_current()
    context.checkpoint_config = CheckpointConfig(
        id_column=POSITION.name,
        checkpoint_path=parse_uri(run.checkpoint).path,
        override_filesystem=open_filesystem(parse_uri(run.checkpoint), run.options),
        delete_checkpoint_on_success=False,
        checkpoint_manager_cls=_Recovery,
    )
    try:
        yield
    finally:
        context.checkpoint_config = None
