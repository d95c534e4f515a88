"""The stages from pixels to scores, measured."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from ufd_ray.detectors import Detector
from ufd_ray.encoders import CpuBatches, Encoder, GpuBatches
from ufd_ray.pipeline.detecting import detect_rows
from ufd_ray.pipeline.encoding import rows_at_a_time
from ufd_ray.pipeline.memory import keep_memory
from ufd_ray.pipeline.planning.stopwatch import Stopwatch, tables
from ufd_ray.pipeline.planning.subject import Subject
from ufd_ray.sizing import StageCost

Pixels = npt.NDArray[np.uint8]
Vectors = npt.NDArray[Any]


def encode_on_cpu(
    encoder: Encoder, pixels: Pixels, at_once: int | None, num_cores: int
) -> tuple[Vectors, StageCost]:
    """Encode.

    Args:
        encoder: on the CPU.
        pixels: uint8 (n, size, size, 3), n at least 1.
        at_once: pictures that it takes at a time; None: as in a run.
        num_cores: that it may use.

    Returns:
        float32 (n, dim), and what it took.
    """
    keep_memory()
    batches, size = CpuBatches(encoder, num_cores, at_once), rows_at_a_time("cpu", at_once)
    batches.encode(pixels[:size])  # the first batch is slower than any after it
    watch = Stopwatch()
    parts = [
        watch.time(batches.encode, pixels[start : start + size])
        for start in range(0, len(pixels), size)
    ]
    return np.concatenate(parts), watch.cost(len(pixels))


def encode_on_gpu(encoder: Encoder, pixels: Pixels, at_once: int | None) -> tuple[Vectors, float]:
    """Encode, and say how many images a second that was; arguments as above."""
    gpu, watch = GpuBatches(encoder, at_once), Stopwatch()
    gpu.encode(pixels[: gpu.at_once])
    vectors = watch.time(gpu.encode, pixels)
    return vectors, len(pixels) / watch.wall_s


def stand_ins(subject: Subject, num_rows: int) -> Vectors:
    """Something to detect where nothing was encoded: images of the bank, or else any numbers.

    Returns:
        float64 (num_rows, dim).
    """
    random = np.random.default_rng(0)
    drawn = random.normal(size=(num_rows, subject.identity.dim))
    if subject.bank is None:
        return drawn
    places = pa.array(random.integers(len(subject.bank), size=num_rows))
    of_bank = subject.bank["embedding"].take(places)
    known = np.asarray(of_bank.combine_chunks().flatten()).reshape(num_rows, -1)
    return np.asarray(known + 0.01 * known.std() * drawn)


def detect(detector: Detector, bank: Any, keep: bool, rows: Any) -> tuple[Any, StageCost]:
    """Score rows with embeddings, as `detect_rows` does; what came of them, and what it took."""
    torch.set_num_threads(os.cpu_count() or 1)

    def score(batch: Any) -> Any:
        return detect_rows(batch, detector, bank, keep)

    score(rows.slice(0, 1))
    watch = Stopwatch()
    scored = [watch.time(score, batch) for batch in tables(rows)]
    return pa.concat_tables(scored), watch.cost(len(rows))
