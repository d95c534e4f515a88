"""Test images once more through the flow, by another encoder: to embeddings, and no further."""

from __future__ import annotations

from ufd_ray.encoders import EncoderIdentity
from ufd_ray.pipeline.cluster import Cluster
from ufd_ray.pipeline.encoding import EncoderPlan
from ufd_ray.pipeline.evaluating.evaluation import Evaluation
from ufd_ray.pipeline.flow import make_flow
from ufd_ray.pipeline.progress import progress_lines, start_tally
from ufd_ray.pipeline.reading import Inspection
from ufd_ray.pipeline.sweeping.scoring import Embedded
from ufd_ray.pipeline.waiting import find_place


def embed_images(
    evaluation: Evaluation,
    plan: EncoderPlan,
    encoder: EncoderIdentity,
    cluster: Cluster,
    embedded: Embedded,
) -> None:
    """Append a row with the embedding of another encoder for every image of a manifest.

    Args:
        evaluation: what is evaluated: its images are made alike as there.
        plan: how the encoder is loaded.
        encoder: which.
        cluster: as it was.
        embedded: where the manifest lies, and the rows are to go.

    Raises:
        UfdError: workers cannot be had, or rows not be written.
    """
    settings, tally = evaluation.settings, start_tally()
    placement = find_place(settings, plan.device, cluster)
    print(placement)
    inspection = Inspection(alignment=evaluation.alignment)
    flow = make_flow(
        settings, plan, encoder, placement, evaluation.storage, tally, inspection=inspection
    )
    with progress_lines(tally, "encode", embedded.num_images, settings.progress_s):
        flow.append(flow.embed(flow.read(embedded.manifest)), embedded.parts)
