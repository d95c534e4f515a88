"""What all detectors said of all images: the flow's rows as one table, and what failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ufd_ray.detectors import ONE_AND_THE_SAME
from ufd_ray.evaluation import ScoreColumn
from ufd_ray.pairing import Detectors
from ufd_ray.pipeline.evaluating.listed_sets import TEST_SET
from ufd_ray.schema import EVALUATED, FAKE, MEAN_MARGIN, POSITION, REJECTS

_TRAITS = ("traits", "aligned_traits")
FORM_SCORES = "form_scores"
"""Column: list of float32 (forms, detectors), the latter in the order of `score_columns`."""
VOTE = "nn_vote_k"
"""With the number of neighbours behind it, the column of their vote."""


@dataclass(frozen=True, eq=False)
class Collected:
    """The rows of a flow.

    Attributes:
        scores: `pa.Table` of `EVALUATED`, then a column for each detector: n images.
        in_bank: (n,) bool, whether the bank that is searched holds the very same picture.
        rejected: `pa.Table` of `REJECTS`, with `status`: the images that failed.
        failed: how many of them each set has.
        traits: `pa.Table` of the n images' `content_hash` and columns of `TRAITS`; without columns
            where none were asked for.
        kept: `pa.Table` of `TEST_SET`, `label`, `embedding` and columns of baselines' features of
            those whose embedding was kept, for figures; without rows where none was.
        forms: `FORM_SCORES` of the n images; None: there are none.
    """

    scores: Any
    in_bank: npt.NDArray[np.bool_]
    rejected: Any
    failed: Counter[str]
    traits: Any
    kept: Any
    forms: Any = None


def score_columns(detectors: Detectors, ks: Sequence[int]) -> list[ScoreColumn]:
    """The detectors that are judged, in the order of their columns.

    Args:
        detectors: what decides.
        ks: how many neighbours vote, and of how many of each class the mean distances are compared.
    """
    columns = []
    if (probe := detectors.probe) is not None:
        tuned = probe.thresholds.get("tuned")
        columns.append(ScoreColumn("probe_score", probe.default_threshold, tuned))
    if detectors.bank is not None:
        found = detectors.neighbors
        tuned = found.thresholds.get("tuned") if found else None
        columns.append(ScoreColumn("nn_margin", 0.0, tuned, is_share=False))
        columns += [ScoreColumn(f"{VOTE}{k}", 0.5) for k in ks]
        columns += [ScoreColumn(f"{MEAN_MARGIN}{k}", 0.0, is_share=False) for k in ks]
    return columns


def collect(
    tables: Iterable[Any],
    columns: Sequence[ScoreColumn],
    k: int,
    drawn: npt.NDArray[np.int64] | None = None,
    features: Sequence[str] = (),
) -> Collected:
    """Gather the rows of a flow.

    Args:
        tables: `pa.Table`s of `SCORES` with `TEST_SET`, `label` and mean margins, in order; one
            at least.
        columns: the detectors.
        k: neighbours that each image has; 0: nothing was searched.
        drawn: positions of the images whose embeddings are kept; None: of all that have one.
        features: columns of what else is kept of these.
    """
    schema = pa.schema([*EVALUATED, *(pa.field(c.name, pa.float32()) for c in columns)])
    rejects = pa.schema(REJECTS)
    scores, in_bank, rejected, failed = [], [], [], Counter[str]()
    traits, kept, forms = [], [], []
    for rows in tables:
        scored = pc.equal(rows["status"], "scored")
        bad, good = rows.filter(pc.invert(scored)), rows.filter(scored)
        rejected.append(bad.select(rejects.names).cast(rejects))
        failed.update(bad[TEST_SET].to_pylist())
        of_images = {field.name: good[field.name] for field in EVALUATED if field.name != "set"}
        values = {column.name: _values(good, column.name, k) for column in columns}
        table = pa.table(of_images | {"set": good[TEST_SET]} | values)
        scores.append(table.select(schema.names).cast(schema))
        seen = [name for name in _TRAITS if name in good.column_names]
        traits.append(good.select(["content_hash", *seen] if seen else []))
        if "embedding" in good.column_names:
            few = good.filter(good["embedding"].is_valid())
            if drawn is not None:
                few = few.filter(pc.is_in(few[POSITION.name], pa.array(drawn)))
            kept.append(few.select([TEST_SET, "label", "embedding", *features]))
        if FORM_SCORES in good.column_names:
            forms.append(good[FORM_SCORES])
        similarity = _of_neighbors(good, "similarity", k)
        in_bank.append((similarity[:, :1] >= np.float32(ONE_AND_THE_SAME)).any(axis=1))
    return Collected(
        pa.concat_tables(scores).combine_chunks(),
        np.concatenate(in_bank),
        pa.concat_tables(rejected),
        failed,
        pa.concat_tables(traits),
        pa.concat_tables(kept).combine_chunks() if kept else pa.table({}),
        _joined(forms) if forms else None,
    )


def _joined(columns: Sequence[Any]) -> Any:
    chunks = [chunk for column in columns for chunk in column.chunks]
    return pa.chunked_array(chunks, columns[0].type)


def _values(rows: Any, name: str, k: int) -> Any:
    if not name.startswith(VOTE):
        return rows[name]
    voting = int(name.removeprefix(VOTE))
    fake = _of_neighbors(rows, "label", k)[:, :voting] == FAKE
    return pa.array(fake.mean(axis=1, dtype=np.float64).astype(np.float32))


def _of_neighbors(rows: Any, field: str, k: int) -> npt.NDArray[Any]:
    """(n, k), nearest first."""
    if not k:
        return np.empty((len(rows), 0))
    structs = rows["neighbors"].combine_chunks().flatten()
    return np.asarray(structs.field(field)).reshape(len(rows), k)
