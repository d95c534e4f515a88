"""The flow of an evaluation: every image once through the encoder, and through one search."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ufd_ray.encoders import DeviceChoice
from ufd_ray.images import Alignment
from ufd_ray.pairing import Detectors
from ufd_ray.pipeline.cluster import Cluster
from ufd_ray.pipeline.comparing.compared import Compared
from ufd_ray.pipeline.detecting import Keep, for_stage
from ufd_ray.pipeline.encoding import EncoderPlan
from ufd_ray.pipeline.flow import Flow, make_flow
from ufd_ray.pipeline.progress import progress_lines, start_tally
from ufd_ray.pipeline.reading import Inspection
from ufd_ray.pipeline.searching import OpenSearch, open_search, plan_on
from ufd_ray.pipeline.sweeping.forms import DetectForms, SweptForm, swept_forms
from ufd_ray.pipeline.sweeping.scoring import Embedded
from ufd_ray.pipeline.waiting import find_place
from ufd_ray.settings import EvaluateSettings
from ufd_ray.storage import StorageOptions


@dataclass(frozen=True)
class Judged:
    """What is evaluated, and how.

    Attributes:
        settings: the job's.
        detectors: all that are judged.
        plan: which encoder, in which precision.
        search_on: on what the bank is searched; None: there is none.
        storage: how storage is reached.
        compared: baselines that are judged as well.
    """

    settings: EvaluateSettings
    detectors: Detectors
    plan: EncoderPlan
    search_on: DeviceChoice | None
    storage: StorageOptions
    compared: tuple[Compared, ...] = ()

    @property
    def alignment(self) -> Alignment | None:
        """What images are made into; None: they stay as they are."""
        if not self.settings.align:
            return None
        size = self.settings.align_size or self.detectors.encoder.input_size
        return Alignment(size, self.settings.align_quality)

    @property
    def forms(self) -> list[SweptForm]:
        """Settings of the sweeps over forms of the images."""
        return swept_forms(self.settings, self.detectors.encoder.preprocess)


def score_images(
    judged: Judged,
    cluster: Cluster,
    embedded: Embedded,
    kept: npt.NDArray[np.int64] | None = None,
) -> Flow:
    """Append a row with `SCORES` for every image of a manifest to Parquet files.

    All embeddings stay in their rows where something is swept beside this flow; where forms of the
    images are, there are `FORM_SCORES`.

    Args:
        judged: by which detectors.
        cluster: as it was.
        embedded: where the manifest lies, and the rows are to go.
        kept: positions of the images whose embeddings stay in their rows; None: of none.

    Returns:
        The flow, for those who want to see some of the images once more.

    Raises:
        UfdError: workers cannot be had, the bank cannot be searched, or parts not be written.
    """
    settings, on = judged.settings, judged.search_on
    placement = find_place(settings, judged.plan.device, cluster, on.device if on else "cpu")
    print(placement)
    encoder, tally = judged.detectors.encoder, start_tally()
    forms = tuple(one.form for one in judged.forms if one.form is not None)
    inspection = Inspection(settings.bias_check, judged.alignment, forms)
    flow = make_flow(
        settings,
        judged.plan,
        encoder,
        placement,
        judged.storage,
        tally,
        inspection=inspection,
    )
    keep: Keep = False if kept is None else kept
    if settings.sweep_train_size or settings.compare_bank:
        keep = True
    lines = progress_lines(tally, "detect", embedded.num_images, settings.progress_s)
    with lines, _search(judged, cluster) as search:
        rows = flow.embed(flow.read(embedded.manifest))
        arguments = for_stage(judged.detectors, keep, search, settings.ks)
        if forms:
            rows = flow.detect(rows, {**arguments, "ks": settings.ks}, stage=DetectForms)
        else:
            rows = flow.detect(rows, arguments)
        flow.append(rows, embedded.parts)
    return flow


@contextmanager
def _search(judged: Judged, cluster: Cluster) -> Iterator[OpenSearch | None]:
    bank, settings = judged.detectors.bank, judged.settings
    if bank is None or judged.search_on is None:
        yield None
        return
    plan = plan_on(judged.search_on, settings, bank, cluster, settings.wait_for_gpus_s)
    with closing(open_search(plan, bank, judged.storage)) as search:
        yield search
