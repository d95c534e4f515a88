"""The flow, one statement an arrow, its resources beside it.

manifest ─fetch─▶ bytes ─decode─▶ pixels ─encode─▶ embedding ─detect─▶ row ─append─▶ parts
manifest ───────────────── recall ───────────────▶ embedding (where they are stored)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import ray.data

from ufd_ray.encoders import EncoderIdentity
from ufd_ray.images import DecodeLimits
from ufd_ray.pipeline.banking.plan import BankPlan
from ufd_ray.pipeline.checkpoint import LeaveOut
from ufd_ray.pipeline.detecting import DetectGenerated
from ufd_ray.pipeline.encoding import EncodeImages, EncoderPlan, rows_at_a_time
from ufd_ray.pipeline.manifest_rows import ManifestRows, as_they_are, read_rows
from ufd_ray.pipeline.memory import KEEPING_MEMORY
from ufd_ray.pipeline.placement import LIGHT, Placement
from ufd_ray.pipeline.reading import (
    FILES_IN_MEMORY,
    Inspection,
    decode_images,
    fetch_images,
    light_stages,
)
from ufd_ray.pipeline.stored_rows import Recalling
from ufd_ray.settings import ImageSettings
from ufd_ray.storage import (
    FetchLimits,
    StorageOptions,
    embedding_ranges,
    manifest_ranges,
    open_filesystem,
    parse_uri,
)

_ROWS_PER_BLOCK = 256
_ROW_BYTES = 512
"""Of a manifest's row, about: Ray bounds by it how many of them wait."""
_STORED_AT_A_TIME = 32_768
"""Rows whose stored embeddings one task reads, about."""
_ARROW: dict[str, Any] = {"batch_format": "pyarrow", "zero_copy_batch": True}


@dataclass(frozen=True)
class Flow:
    """Everything that the stages share.

    Attributes:
        plan: which encoder, and how it is loaded.
        encoder: its identity; workers that find another one end the run.
        placement: what each worker takes of a machine.
        batch_size: images that an encoder takes at once; None: it finds out.
        limits: bounds of fetching.
        decode_limits: bounds of decoding.
        storage: how storage is reached.
        tally: where the stages report.
        bank: what a bank wants of its images; None: they are for no bank.
        inspection: what an evaluation wants of the files; None: they are for none.
    """

    plan: EncoderPlan
    encoder: EncoderIdentity
    placement: Placement
    batch_size: int | None
    limits: FetchLimits
    decode_limits: DecodeLimits
    storage: StorageOptions
    tally: Any
    bank: BankPlan | None = None
    inspection: Inspection | None = None

    def read(self, manifest: str, done: npt.NDArray[np.bool_] | None = None) -> Any:
        """Manifest → rows, but for those that are `done`, as a lazy Ray data set."""
        return read_manifest(manifest, self.storage, self._bounded(_ROWS_PER_BLOCK), done)

    def _bounded(self, num_images: int) -> int:
        """So many images, or fewer where each becomes several pictures: as many pixels together."""
        wanted = self.bank or self.inspection
        return max(1, num_images // (wanted.num_pictures if wanted else 1))

    def decode(self, rows: Any) -> Any:
        """Rows → rows with pixels."""
        return light_stages(
            rows,
            partial(fetch_images, storage=self.storage, limits=self.limits, tally=self.tally),
            partial(
                decode_images,
                mode=self.encoder.preprocess,
                size=self.encoder.input_size,
                limits=self.decode_limits,
                bank=self.bank,
                inspection=self.inspection,
                tally=self.tally,
            ),
            batch_size=self._bounded(FILES_IN_MEMORY),
        )

    def embed(self, rows: Any, kept: Any = None) -> Any:
        """Rows → rows with embeddings; those that are `kept` (`find_kept`) are not made again."""
        on_cpu = self.plan.device == "cpu"
        keeping = {"runtime_env": {"env_vars": KEEPING_MEMORY}} if on_cpu else {}
        return self.decode(rows).map_batches(
            EncodeImages,
            fn_constructor_args=(
                self.plan,
                self.encoder,
                self.storage,
                self.placement.encoders,
                kept,
                self.tally,
                self.batch_size,
            ),
            batch_size=self._bounded(rows_at_a_time(self.plan.device, self.batch_size)),
            **self.placement.encoders.arguments(),
            **keeping,
            **_ARROW,
        )

    def recall(self, manifest: str, column: str, done: npt.NDArray[np.bool_] | None = None) -> Any:
        """Manifest of stored embeddings → rows with them, but for those that are `done`."""
        how = Recalling(column, self.encoder.dim, self.plan.dtype, self.storage, self.tally)
        ranges = embedding_ranges(manifest, _STORED_AT_A_TIME, self.storage)
        read = partial(how.rows, left_out=None if done is None else LeaveOut(done))
        row_bytes = how.dim * np.dtype(how.dtype).itemsize
        return _source(ManifestRows(ranges, read, row_bytes, done), 2 * LIGHT)

    def detect(
        self,
        rows: Any,
        detectors: dict[str, Any],
        rows_at_once: int | None = None,
        stage: type[DetectGenerated] = DetectGenerated,
    ) -> Any:
        """Rows with embeddings → rows with scores.

        Args:
            rows: of `embed` or `recall`.
            detectors: as `DetectGenerated` takes them.
            rows_at_once: rows of a batch, where the search does not say; None: as they come.
            stage: what detects; it may take, and say, more.
        """
        search = detectors["search"]
        return rows.map_batches(
            stage,
            fn_constructor_kwargs={**detectors, "tally": self.tally},
            batch_size=(search.plan.queries_at_once if search else None) or rows_at_once,
            **self.placement.detectors.arguments(search.plan.batches_at_once if search else 1),
            **_ARROW,
        )

    def append(self, rows: Any, parts: str) -> None:
        """Run the flow: append the rows, as they come, to Parquet files in `parts`."""
        append_rows(rows, parts, self.storage)


def read_manifest(
    manifest: str,
    storage: StorageOptions,
    rows_per_block: int = _ROWS_PER_BLOCK,
    done: npt.NDArray[np.bool_] | None = None,
) -> Any:
    """Manifest → rows, as a lazy Ray data set.

    Args:
        manifest: URI of its folder.
        storage: how it is reached.
        rows_per_block: that go on together.
        done: (num_images,) those that are left out; None: none.
    """
    ranges = manifest_ranges(manifest, storage)
    read = partial(read_rows, storage=storage)
    rows = _source(ManifestRows(ranges, read, _ROW_BYTES, done))
    # Never without this step: repartition runs as part of it, and by itself would want a whole
    # CPU on one node, all the time.
    step = as_they_are if done is None else LeaveOut(done)
    rows = rows.map_batches(step, batch_size=None, num_cpus=LIGHT, **_ARROW)
    return rows.repartition(target_num_rows_per_block=rows_per_block)


def append_rows(rows: Any, parts: str, storage: StorageOptions) -> None:
    """Run a flow: append its rows, as they come, to Parquet files in `parts`."""
    rows.write_parquet(
        parse_uri(parts).path,
        filesystem=open_filesystem(parse_uri(parts), storage),
        ray_remote_args={"num_cpus": LIGHT / 2},
    )


def _source(source: ManifestRows, num_cpus: float = LIGHT) -> Any:
    return ray.data.read_datasource(source, override_num_blocks=len(source), num_cpus=num_cpus)


def make_flow(
    settings: ImageSettings,
    plan: EncoderPlan,
    encoder: EncoderIdentity,
    placement: Placement,
    storage: StorageOptions,
    tally: Any,
    bank: BankPlan | None = None,
    inspection: Inspection | None = None,
) -> Flow:
    """The flow that a job's settings ask for; the last two: what a bank, an evaluation wants."""
    return Flow(
        plan=plan,
        encoder=encoder,
        placement=placement,
        batch_size=settings.batch_size,
        limits=FetchLimits.of(settings),
        decode_limits=DecodeLimits.of(settings),
        storage=storage,
        tally=tally,
        bank=bank,
        inspection=inspection,
    )
