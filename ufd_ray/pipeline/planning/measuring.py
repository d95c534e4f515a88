"""Every stage, by itself, in this process, on the sampled images, in a run's batches: no Ray."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ufd_ray.errors import SettingsError
from ufd_ray.pipeline.planning.pictures import read_pictures
from ufd_ray.pipeline.planning.stopwatch import Stopwatch, tables
from ufd_ray.pipeline.planning.subject import Subject
from ufd_ray.pipeline.planning.vectors import detect, encode_on_cpu, encode_on_gpu, stand_ins
from ufd_ray.pipeline.rows import pixel_batch
from ufd_ray.settings import PlanSettings
from ufd_ray.sizing import Measured, StageCost
from ufd_ray.storage import StorageOptions, embedding_column


@dataclass(frozen=True)
class Listing:
    """What listing came to.

    Attributes:
        num_images: that the inputs name.
        seconds: in which they were listed.
        sample: `pa.Table` with the manifest's columns.
    """

    num_images: int
    seconds: float
    sample: Any


def measure(
    settings: PlanSettings,
    subject: Subject,
    listing: Listing,
    storage: StorageOptions,
    num_cores: int,
    import_s: float | None,
) -> Measured:
    """Measure all stages.

    Args:
        settings: the job's.
        subject: encoder and detectors.
        listing: with the sample.
        storage: how storage is reached.
        num_cores: of the encoder, on CPUs.
        import_s: as `Measured` has it.

    Raises:
        SettingsError: none of the images can be read.
        UfdError: the encoder or the bank fails.
    """
    rows, stages = read_pictures(settings, subject, listing.sample, storage)
    pixels, valid = pixel_batch(rows["pixels"], subject.identity.input_size)
    rows = rows.drop_columns(["pixels"])
    if not len(pixels):
        first = next(message for message in rows["error_message"].to_pylist() if message)
        raise SettingsError(
            f"--input: none of {len(rows):,} images that were drawn can be read; the first: {first}"
        )
    encoder, at_once, rate = subject.encoder, settings.batch_size, None
    if encoder is None:
        vectors = stand_ins(subject, len(pixels))
    elif encoder.device.type == "cuda":
        vectors, rate = encode_on_gpu(encoder, pixels, at_once)
    else:
        vectors, stages["encode"] = encode_on_cpu(encoder, pixels, at_once, num_cores)
    of_all = np.zeros((len(rows), subject.identity.dim), subject.plan.dtype)
    of_all[valid] = vectors
    valid = valid & np.isfinite(of_all).all(axis=1) & of_all.any(axis=1)
    rows = rows.append_column("embedding", embedding_column(of_all, valid))
    if subject.detector is not None:
        keep = settings.keep_embeddings
        rows, stages["detect"] = detect(subject.detector, subject.bank, keep, rows)
    num_bytes, stages["write"] = _write(rows)
    return Measured(
        num_images=len(rows),
        num_failed=int((~valid).sum()),
        stages=stages,
        num_listed=listing.num_images,
        listing_s=listing.seconds,
        read_bytes=pc.mean(pc.fill_null(rows["size_bytes"], 0)).as_py(),
        written_bytes=num_bytes / len(rows),
        cpus=os.cpu_count() or 1,
        gpu_images_per_s=rate,
        import_s=import_s,
        model_s=subject.model_s,
        bank_s=subject.bank_s,
    )


def _write(rows: Any) -> tuple[int, StageCost]:
    """Bytes of the rows as Parquet, in files of a block each, and what making them took."""
    watch = Stopwatch()

    def write(batch: Any) -> int:
        sink = io.BytesIO()
        pq.write_table(batch, sink)
        return sink.tell()

    write(rows.slice(0, 1))
    num_bytes = sum(watch.time(write, batch) for batch in tables(rows))
    return num_bytes, watch.cost(len(rows))
