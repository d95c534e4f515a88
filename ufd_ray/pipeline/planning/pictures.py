"""The stages from names to pixels, measured."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from ufd_ray.images import DecodeLimits
from ufd_ray.pipeline.planning.stopwatch import Stopwatch
from ufd_ray.pipeline.planning.subject import Subject
from ufd_ray.pipeline.reading import decode_images, fetch_images
from ufd_ray.settings import PlanSettings
from ufd_ray.sizing import StageCost
from ufd_ray.storage import FetchLimits, StorageOptions

_FILES_AT_ONCE = 32


def read_pictures(
    settings: PlanSettings, subject: Subject, rows: Any, storage: StorageOptions
) -> tuple[Any, dict[str, StageCost]]:
    """Fetch and decode. Files are in memory for one batch at a time, pixels for all.

    Args:
        settings: the job's.
        subject: whose encoder's pixels are wanted.
        rows: the sample, `pa.Table` with the manifest's columns.
        storage: how storage is reached.

    Returns:
        The rows as `decode_images` gives them, and what `fetch` and `decode` took.
    """
    limits, bounds = FetchLimits.of(settings), DecodeLimits.of(settings)
    mode, size = subject.identity.preprocess, subject.identity.input_size

    def fetch(batch: Any) -> Any:
        return fetch_images(batch, storage=storage, limits=limits)

    def decode(batch: Any) -> Any:
        return decode_images(batch, mode=mode, size=size, limits=bounds)

    decode(fetch(rows.slice(0, 1)))  # opens the store and starts the process that decodes
    fetching, decoding, read = Stopwatch(), Stopwatch(own_work=False), []
    for start in range(0, len(rows), _FILES_AT_ONCE):
        fetched = fetching.time(fetch, rows.slice(start, _FILES_AT_ONCE))
        read.append(decoding.time(decode, fetched))
    costs = {"fetch": fetching.cost(len(rows)), "decode": decoding.cost(len(rows))}
    return pa.concat_tables(read).combine_chunks(), costs
