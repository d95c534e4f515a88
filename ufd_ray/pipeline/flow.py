"""The flow, one statement an arrow, its resources beside it.

manifest ─fetch─▶ bytes ─decode─▶ pixels ─encode─▶ embedding ─detect─▶ row ─append─▶ parts
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import ray.data
from ray.data import ActorPoolStrategy

from ufd_ray.encoders import EncoderIdentity
from ufd_ray.errors import SettingsError
from ufd_ray.images import DecodeLimits
from ufd_ray.pipeline.checkpoint import LeaveOut
from ufd_ray.pipeline.cluster import Cluster
from ufd_ray.pipeline.detecting import DetectGenerated
from ufd_ray.pipeline.encoding import EncodeImages, EncoderPlan
from ufd_ray.pipeline.progress import start_tally
from ufd_ray.pipeline.reading import decode_images, fetch_images
from ufd_ray.pipeline.recalling import RecallEmbeddings
from ufd_ray.settings import ImageSettings
from ufd_ray.storage import FetchLimits, StorageOptions, open_filesystem, parse_uri

_ROWS_PER_BLOCK = 256
_FILES_IN_MEMORY = 32
"""Images that a task fetches and decodes at a time. The two stages run as one task, so that whole
files never leave it: times `--max-bytes`, this bounds its memory."""
_ARROW: dict[str, Any] = {"batch_format": "pyarrow", "zero_copy_batch": True}
_LIGHT = 0.25
"""CPUs that Ray sets aside for a task that mostly waits. All light work and an encoder together ask
for less than two CPUs, so that the smallest machine never waits for itself."""


@dataclass(frozen=True)
class Flow:
    """Everything that the stages share.

    Attributes:
        plan: which encoder, and how it is loaded.
        encoder: its identity; workers that find another one end the run.
        num_encoders: encoder workers.
        encoders_a_node: how many of them share a node.
        batch_size: images that an encoder takes at once.
        limits: bounds of fetching.
        decode_limits: bounds of decoding.
        storage: how storage is reached.
        tally: where the stages report.
    """

    plan: EncoderPlan
    encoder: EncoderIdentity
    num_encoders: int
    encoders_a_node: int
    batch_size: int
    limits: FetchLimits
    decode_limits: DecodeLimits
    storage: StorageOptions
    tally: Any

    def read(self, manifest: str, left_out: LeaveOut | None = None) -> Any:
        """Manifest → rows, but for those `left_out`, as a lazy Ray data set."""
        rows = ray.data.read_parquet(
            parse_uri(manifest).path,
            filesystem=open_filesystem(parse_uri(manifest), self.storage),
            partitioning=None,  # a folder named `date=…` above the manifest is no column of it
            num_cpus=_LIGHT,
        )
        if left_out is not None:
            rows = rows.map_batches(left_out, batch_size=None, num_cpus=_LIGHT, **_ARROW)
        return rows.repartition(target_num_rows_per_block=_ROWS_PER_BLOCK)

    def embed(self, rows: Any, kept: Any = None) -> Any:
        """Rows → rows with embeddings; those that are `kept` (`find_kept`) are not made again."""
        rows = rows.map_batches(
            partial(fetch_images, storage=self.storage, limits=self.limits, tally=self.tally),
            batch_size=_FILES_IN_MEMORY,
            num_cpus=_LIGHT,
            **_ARROW,
        )
        rows = rows.map_batches(
            partial(
                decode_images,
                mode=self.encoder.preprocess,
                size=self.encoder.input_size,
                limits=self.decode_limits,
                tally=self.tally,
            ),
            batch_size=_FILES_IN_MEMORY,
            num_cpus=_LIGHT,
            **_ARROW,
        )
        on_gpu = self.plan.device == "cuda"
        return rows.map_batches(
            EncodeImages,
            fn_constructor_args=(
                self.plan,
                self.encoder,
                self.storage,
                self.encoders_a_node,
                kept,
                self.tally,
            ),
            batch_size=self.batch_size,
            compute=ActorPoolStrategy(size=self.num_encoders),
            num_gpus=1 if on_gpu else 0,
            num_cpus=_LIGHT if on_gpu else 2 * _LIGHT,
            **_ARROW,
        )

    def recall(self, rows: Any, kept: Any) -> Any:
        """Rows of earlier runs → the same with the embeddings that those kept."""
        return rows.map_batches(
            RecallEmbeddings,
            fn_constructor_args=(
                kept,
                self.encoder.dim,
                self.plan.dtype,
                self.storage,
                self.tally,
            ),
            batch_size=_ROWS_PER_BLOCK,
            compute=ActorPoolStrategy(size=self.num_encoders),
            num_cpus=_LIGHT,
            **_ARROW,
        )

    def detect(self, rows: Any, detectors: dict[str, Any]) -> Any:
        """Rows with embeddings → rows with scores; `detectors` as `DetectGenerated` takes them."""
        return rows.map_batches(
            DetectGenerated,
            fn_constructor_kwargs={**detectors, "tally": self.tally},
            batch_size=None,
            compute=ActorPoolStrategy(size=self.num_encoders),
            num_cpus=_LIGHT,
            **_ARROW,
        )

    def append(self, rows: Any, parts: str) -> None:
        """Run the flow: append the rows, as they come, to Parquet files in `parts`."""
        rows.write_parquet(
            parse_uri(parts).path,
            filesystem=open_filesystem(parse_uri(parts), self.storage),
            ray_remote_args={"num_cpus": _LIGHT / 2},
        )


def make_flow(
    settings: ImageSettings,
    plan: EncoderPlan,
    encoder: EncoderIdentity,
    cluster: Cluster,
    storage: StorageOptions,
) -> Flow:
    """The flow that a job's settings ask for, on the cluster that there is."""
    room = _room(plan, cluster)
    wanted = settings.num_encoders
    if wanted is not None and wanted > room:
        # A pool that never gets its workers would wait for ever.
        raise SettingsError(f"--num-encoders {wanted}: this cluster has room for {room}")
    default = cluster.num_gpus if plan.device == "cuda" else cluster.num_nodes
    num_encoders = wanted or min(default, room)
    return Flow(
        plan=plan,
        encoder=encoder,
        num_encoders=num_encoders,
        encoders_a_node=math.ceil(num_encoders / cluster.num_nodes),
        batch_size=settings.batch_size,
        limits=FetchLimits.of(settings),
        decode_limits=DecodeLimits.of(settings),
        storage=storage,
        tally=start_tally(),
    )


def _room(plan: EncoderPlan, cluster: Cluster) -> int:
    """How many encoders fit, each with a detector beside it; reading and writing have a share."""
    on_gpu = plan.device == "cuda"
    by_cpu = int((cluster.num_cpus - 2 * _LIGHT) / ((2 if on_gpu else 3) * _LIGHT))
    return max(1, min(by_cpu, cluster.num_gpus) if on_gpu else by_cpu)
