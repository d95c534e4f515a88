"""The flow of an evaluation: every image once through the encoder, and through one search."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import numpy as np
import numpy.typing as npt

from ufd_ray.pipeline.cluster import Cluster
from ufd_ray.pipeline.detecting import Keep, for_stage
from ufd_ray.pipeline.evaluating.evaluation import Evaluation
from ufd_ray.pipeline.flow import Flow, make_flow
from ufd_ray.pipeline.progress import progress_lines, start_tally
from ufd_ray.pipeline.reading import Inspection
from ufd_ray.pipeline.searching import OpenSearch, open_search, plan_on
from ufd_ray.pipeline.sweeping.forms import DetectForms
from ufd_ray.pipeline.sweeping.scoring import Embedded
from ufd_ray.pipeline.waiting import find_place


def score_images(
    evaluation: Evaluation,
    cluster: Cluster,
    embedded: Embedded,
    kept: npt.NDArray[np.int64] | None = None,
) -> Flow:
    """Append a row with `SCORES` for every image of a manifest to Parquet files.

    All embeddings stay in their rows where something is swept beside this flow; where forms of the
    images are, there are `FORM_SCORES`.

    Args:
        evaluation: by which detectors.
        cluster: as it was.
        embedded: where the manifest lies, and the rows are to go.
        kept: positions of the images whose embeddings stay in their rows; None: of none.

    Returns:
        The flow, for those who want to see some of the images once more.

    Raises:
        UfdError: workers cannot be had, the bank cannot be searched, or parts not be written.
    """
    settings, on = evaluation.settings, evaluation.search_on
    placement = find_place(settings, evaluation.plan.device, cluster, on.device if on else "cpu")
    print(placement)
    encoder, tally = evaluation.detectors.encoder, start_tally()
    forms = tuple(one.form for one in evaluation.forms if one.form is not None)
    inspection = Inspection(settings.bias_check, evaluation.alignment, forms)
    flow = make_flow(
        settings,
        evaluation.plan,
        encoder,
        placement,
        evaluation.storage,
        tally,
        inspection=inspection,
    )
    keep: Keep = False if kept is None else kept
    if settings.sweep_train_size or settings.compare_bank:
        keep = True
    lines = progress_lines(tally, "detect", embedded.num_images, settings.progress_s)
    with lines, _search(evaluation, cluster) as search:
        rows = flow.embed(flow.read(embedded.manifest))
        arguments = for_stage(evaluation.detectors, keep, search, settings.ks)
        if forms:
            rows = flow.detect(rows, {**arguments, "ks": settings.ks}, stage=DetectForms)
        else:
            rows = flow.detect(rows, arguments)
        flow.append(rows, embedded.parts)
    return flow


@contextmanager
def _search(evaluation: Evaluation, cluster: Cluster) -> Iterator[OpenSearch | None]:
    bank, settings = evaluation.detectors.bank, evaluation.settings
    if bank is None or evaluation.search_on is None:
        yield None
        return
    plan = plan_on(evaluation.search_on, settings, bank, cluster, settings.wait_for_gpus_s)
    with closing(open_search(plan, bank, evaluation.storage)) as search:
        yield search
