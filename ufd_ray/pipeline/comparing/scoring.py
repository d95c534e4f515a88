"""The images of an evaluation once more, as a baseline sees them; then beside its own rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ufd_ray.images import ByRecipe, DecodeLimits
from ufd_ray.pipeline.cluster import Cluster
from ufd_ray.pipeline.comparing.compared import Compared
from ufd_ray.pipeline.comparing.stage import FEATURES, SCORE, ScoreByBaseline
from ufd_ray.pipeline.evaluating.evaluation import Evaluation
from ufd_ray.pipeline.flow import append_rows, read_manifest
from ufd_ray.pipeline.progress import progress_lines, start_tally
from ufd_ray.pipeline.reading import decode_by_recipe, fetch_images, light_stages
from ufd_ray.pipeline.waiting import find_place
from ufd_ray.storage import FetchLimits, Parts, join_uri

_AT_ONCE = 64


def score_by_baselines(
    evaluation: Evaluation,
    cluster: Cluster,
    manifest: str,
    num_images: int,
    scratch: str,
    drawn: npt.NDArray[np.int64] | None = None,
) -> list[tuple[Compared, Parts]]:
    """Have every baseline score all images of a manifest, each as its own test recipe makes it.

    Args:
        evaluation: what is evaluated; its images are made alike as there.
        cluster: as it was.
        manifest: URI of the images.
        num_images: its rows.
        scratch: URI of a folder for rows of `ScoreByBaseline`.
        drawn: positions of the images whose features are wanted as well; None: of none.

    Raises:
        UfdError: workers cannot be had, a network cannot be read, or rows are lost.
    """
    found = []
    for number, one in enumerate(evaluation.compared):
        parts = join_uri(scratch, f"baseline-{number}")
        _score_by(one, evaluation, cluster, manifest, num_images, parts, drawn)
        rows = Parts(parts, manifest, evaluation.storage)
        rows.check_accounts(num_images)
        found.append((one, rows))
    return found


def _score_by(
    one: Compared,
    evaluation: Evaluation,
    cluster: Cluster,
    manifest: str,
    num_images: int,
    parts: str,
    drawn: npt.NDArray[np.int64] | None,
) -> None:
    settings, storage, tally = evaluation.settings, evaluation.storage, start_tally()
    device = evaluation.plan.device
    pool = find_place(settings, device, cluster).encoders
    print(f"baseline {one.name}: {one.info.uri}, workers: {pool}")
    recipe, alignment = one.baseline.test_pixels, evaluation.alignment
    if alignment is not None and alignment.size < max(recipe.size, recipe.resize or 0):
        print(
            f"warning: images are aligned to {alignment.size} × {alignment.size} pixels, of which"
            f" {one.name} makes {recipe.size} × {recipe.size}: enlarged or with black borders, as"
            " those that it was trained on were not (--align-size)"
        )
    limits = FetchLimits.of(settings)
    rows = light_stages(
        read_manifest(manifest, storage),
        partial(fetch_images, storage=storage, limits=limits),
        partial(
            decode_by_recipe,
            wanted=partial(_all_alike, how=ByRecipe.without_chance(one.baseline.test_pixels)),
            limits=DecodeLimits.of(settings),
            alignment=alignment,
        ),
    )
    with progress_lines(tally, "baseline", num_images, settings.progress_s):
        rows = rows.map_batches(
            ScoreByBaseline,
            fn_constructor_args=(one.baseline, one.info, device, storage, pool, tally, drawn),
            batch_size=_AT_ONCE,
            batch_format="pyarrow",
            zero_copy_batch=True,
            **pool.arguments(),
        )
        append_rows(rows, parts, storage)


def _all_alike(rows: Any, *, how: ByRecipe) -> list[ByRecipe | None]:
    return [how] * len(rows)


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
