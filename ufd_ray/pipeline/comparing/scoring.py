"""The images of an evaluation once more, as a baseline sees them; then beside its own rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ufd_ray.images import DecodeLimits
from ufd_ray.pipeline.cluster import Cluster
from ufd_ray.pipeline.comparing.compared import Compared
from ufd_ray.pipeline.comparing.stage import FEATURES, SCORE, ScoreByBaseline
from ufd_ray.pipeline.evaluating.scoring import Judged
from ufd_ray.pipeline.flow import append_rows, read_manifest
from ufd_ray.pipeline.progress import progress_lines, start_tally
from ufd_ray.pipeline.reading import (
    WithoutChance,
    decode_by_recipe,
    fetch_images,
    light_stages,
)
from ufd_ray.pipeline.sweeping.scoring import Embedded
from ufd_ray.pipeline.waiting import find_place
from ufd_ray.storage import FetchLimits, Parts, join_uri

_AT_ONCE = 64


def score_by_baselines(
    judged: Judged,
    cluster: Cluster,
    embedded: Embedded,
    scratch: str,
    drawn: npt.NDArray[np.int64] | None = None,
) -> list[tuple[Compared, Parts]]:
    """Have every baseline score all images of a manifest, each as its own test recipe makes it.

    Args:
        judged: what is evaluated; its images are made alike as there.
        cluster: as it was.
        embedded: where the manifest lies.
        scratch: URI of a folder for rows of `ScoreByBaseline`.
        drawn: positions of the images whose features are wanted as well; None: of none.

    Raises:
        UfdError: workers cannot be had, a network cannot be read, or rows are lost.
    """
    found = []
    for number, one in enumerate(judged.compared):
        parts = join_uri(scratch, f"baseline-{number}")
        _score_by(one, judged, cluster, embedded, parts, drawn)
        rows = Parts(parts, embedded.manifest, judged.storage)
        rows.check_accounts(embedded.num_images)
        found.append((one, rows))
    return found


def _score_by(
    one: Compared,
    judged: Judged,
    cluster: Cluster,
    embedded: Embedded,
    parts: str,
    drawn: npt.NDArray[np.int64] | None,
) -> None:
    settings, storage, tally = judged.settings, judged.storage, start_tally()
    device = judged.plan.device
    pool = find_place(settings, device, cluster).encoders
    print(f"baseline {one.name}: {one.info.uri}, workers: {pool}")
    limits = FetchLimits.of(settings)
    rows = light_stages(
        read_manifest(embedded.manifest, storage),
        partial(fetch_images, storage=storage, limits=limits),
        partial(
            decode_by_recipe,
            wanted=WithoutChance(one.baseline.test),
            limits=DecodeLimits.of(settings),
            alignment=judged.alignment,
        ),
    )
    with progress_lines(tally, "baseline", embedded.num_images, settings.progress_s):
        rows = rows.map_batches(
            ScoreByBaseline,
            fn_constructor_args=(one.baseline, one.info, device, storage, pool, tally, drawn),
            batch_size=_AT_ONCE,
            batch_format="pyarrow",
            zero_copy_batch=True,
            **pool.arguments(),
        )
        append_rows(rows, parts, storage)


def beside(
    tables: Iterable[Any], scored: Sequence[tuple[Compared, Parts]], num_images: int, at_once: int
) -> Iterator[Any]:
    """The evaluation's rows with a column of each baseline's scores, and one of its features.

    An image of which a baseline can say nothing is an error as a whole: all detectors are judged by
    the same images.

    Args:
        tables: `pa.Table`s of the evaluation's rows, in the manifest's order, `at_once` each.
        scored: of `score_by_baselines`.
        num_images: rows of the manifest.
        at_once: rows of a table.
    """
    others = [parts.ranges(num_images, at_once) for _, parts in scored]
    for table, *of_baselines in zip(tables, *others, strict=True):
        rows = table
        for (one, _), found in zip(scored, of_baselines, strict=True):
            rows = put_scores(rows, one.column.name, found)
            if FEATURES in found.column_names:
                rows = _with_column(rows, one.features_column, found[FEATURES])
        yield rows


def put_scores(rows: Any, column: str, found: Any) -> Any:
    """Put a baseline's scores beside rows.

    Args:
        rows: `pa.Table` of an evaluation, with `status` and the columns of errors.
        column: name of the new column.
        found: `pa.Table` of `ScoreByBaseline`, of the same images in the same order.

    Returns:
        The rows with the column; what was scored before, and has no score in it, is an error.
    """
    failed = np.asarray(pc.equal(rows["status"], "scored")) & np.asarray(pc.is_null(found[SCORE]))
    rows = _with_column(rows, column, found[SCORE])
    if not failed.any():
        return rows
    changed = pa.array(failed)
    now = {
        "status": pa.scalar("error"),
        "error_code": found["error_code"].combine_chunks(),
        "error_message": found["error_message"].combine_chunks(),
    }
    for name, values in now.items():
        place = rows.column_names.index(name)
        put = pc.if_else(changed, values, rows[name].combine_chunks())
        rows = rows.set_column(place, rows.schema.field(name), put)
    return rows


def _with_column(rows: Any, name: str, column: Any) -> Any:
    """The rows with a column at the end, in the place of one that a manifest calls the same."""
    kept = [one for one in rows.column_names if one != name]
    return rows.select(kept).append_column(name, column)
