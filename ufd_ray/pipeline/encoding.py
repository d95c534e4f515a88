"""The stage that turns pixels into embeddings: one frozen encoder a worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import ray

from ufd_ray.encoders import (
    CpuBatches,
    Encoder,
    EncoderIdentity,
    EncoderSpec,
    GpuBatches,
    require_device,
    require_same,
    resolve_device,
)
from ufd_ray.errors import ErrorCode, ModelError, SettingsError, UfdError
from ufd_ray.pipeline.cluster import Cluster, this_node
from ufd_ray.pipeline.placement import Pool
from ufd_ray.pipeline.precision import choose_precision
from ufd_ray.pipeline.progress import timed
from ufd_ray.pipeline.rows import pixel_batch, put_errors, view_batch
from ufd_ray.settings import Device, ImageSettings, Precision, PreprocessMode
from ufd_ray.storage import KeptEmbeddings, StorageOptions, embedding_column, object_exists

_CPU_ROWS = 64
"""Rows that a worker on a CPU gets at a time, where nobody says."""
_GPU_ROWS = 512
"""Rows that a worker on a GPU gets at a time: several batches, one copied while one is computed."""


def rows_at_a_time(device: Device, at_once: int | None) -> int:
    """Rows that Ray is to hand `EncodeImages` at a time, of one picture each.

    Args:
        device: where the encoder runs.
        at_once: pictures that it takes at a time; None: it finds out.
    """
    if device == "cpu":
        return at_once or _CPU_ROWS
    return max(_GPU_ROWS, at_once or 0)


@dataclass(frozen=True)
class EncoderPlan:
    """Which encoder, and how it is loaded on a worker.

    Attributes:
        spec: architecture and weights.
        preprocess: `crop` or `resize`.
        weights: file or URI with the weights; None: where the spec says.
        device: `cuda` or `cpu`.
        precision: `fp32`, `fp16` or `bf16`.
        dtype: precision in which embeddings are kept, `float32` or `float16`.
    """

    spec: EncoderSpec
    preprocess: PreprocessMode
    weights: str | None
    device: Device
    precision: Precision
    dtype: str

    def load(self, storage: StorageOptions, expected: EncoderIdentity | None = None) -> Encoder:
        """Load the encoder; `expected` is the identity that it must turn out to have.

        Raises:
            IdentityError: it is another one.
            UfdError: the weights cannot be had or do not fit.
        """
        encoder = Encoder.load(
            self.spec,
            preprocess=self.preprocess,
            weights_file=self.weights,
            device=self.device,
            precision=self.precision,
            storage=storage,
        )
        if expected is not None:
            require_same(expected, encoder.identity, "bank or probe", "the weights found here")
        return encoder


def plan_encoder(
    settings: ImageSettings,
    spec: EncoderSpec,
    preprocess: PreprocessMode,
    dtype: str,
    cluster: Cluster,
) -> EncoderPlan:
    """Decide where and in which precision the encoder runs, and say so in one line.

    Raises:
        SettingsError: the device or precision cannot be had, or `--weights` is not there.
        ClusterError: no machine tells what its CPUs are good at.
    """
    source = settings.weights or (spec.weights if spec.kind == "file" else None)
    if source is not None and not object_exists(source, StorageOptions.of(settings)):
        raise SettingsError(f"there are no weights at {source}; --weights FILE says where they are")
    choice = resolve_device(
        settings.device,
        cluster.num_gpus,
        may_grow=cluster.may_grow,
        autoscales=cluster.autoscales,
    )
    precision = choose_precision(settings, spec, choice.device, cluster)
    why = f"{choice.reason}; {precision.reason}"
    print(f"encoder {spec} on {choice.device} in {precision.precision}: {why}")
    if spec.kind == "random":
        print("warning: the encoder's weights are random, as asked: its scores mean nothing")
    return EncoderPlan(
        spec, preprocess, settings.weights, choice.device, precision.precision, dtype
    )


_NOT_FINITE = ModelError(
    ErrorCode.NOT_FINITE, "the encoder's output has NaN or infinite numbers, or is all zeros"
)


class EncodeImages:
    """Ray stage: `pixels` → `embedding`, and where there are any, views → theirs.

    Args:
        plan: which encoder.
        expected: the identity that bank and probe were made with.
        storage: how storage is reached.
        pool: the workers, some of which may share a node's cores; None: this is the only one.
        kept: reference to the index of embeddings that are kept (`find_kept`); None: of none.
        tally: where times are reported; None: nowhere.
        at_once: pictures that the encoder takes at a time; None: a few a core on CPUs, and on a GPU
            what a short trial finds fastest, made once by each worker.

    Raises:
        IdentityError: at the first batch, if the weights found here are not those of the bank or
            probe. Of what an actor raises while it starts, Ray keeps the text alone, and starts it
            several times more.
    """

    def __init__(
        self,
        plan: EncoderPlan,
        expected: EncoderIdentity,
        storage: StorageOptions,
        pool: Pool | None = None,
        kept: Any = None,
        tally: Any = None,
        at_once: int | None = None,
    ) -> None:
        self._failure: UfdError | None = None
        try:
            require_device(plan.device)
            self._encoder = plan.load(storage, expected)
            self._batches: CpuBatches | GpuBatches
            if plan.device == "cuda":
                self._batches = GpuBatches(self._encoder, at_once)
            else:
                # All cores of the node, shared: Ray would give as many as CPUs were reserved.
                cpus, gpus = this_node()
                sharing = pool.on_a_node(cpus, gpus) if pool else 1
                self._batches = CpuBatches(self._encoder, max(1, cpus // sharing), at_once)
            if tally is not None and (file := self._encoder.weights_file):
                tally.add_weights.remote(file.to_dict())
            self._kept = None if kept is None else KeptEmbeddings(ray.get(kept), storage)
        except UfdError as error:
            self._failure = error
        self._dtype = np.dtype(plan.dtype)
        self._tally = tally

    def __call__(self, rows: Any) -> Any:
        """Encode a batch.

        Args:
            rows: `pa.Table` with `pixels`, uint8 (size, size, 3) as bytes, null for failed images;
                perhaps with `view_pixels`, uint8 (views, size, size, 3) likewise.

        Returns:
            The same rows with `embedding`, fixed-size list of the stored dtype, instead of
            `pixels`; null where there is an error (`not_finite` among them, which a view may be as
            well). With `view_embeddings`, a list of such lists, instead of `view_pixels`.
        """
        if self._failure is not None:
            raise self._failure
        encoder = self._encoder
        embeddings = np.zeros((len(rows), encoder.dim), self._dtype)
        known = self._recall(rows, embeddings)
        with timed(self._tally, "encode", 0) as report:
            fresh = pc.if_else(pa.array(known), pa.scalar(None, pa.large_binary()), rows["pixels"])
            pixels, valid = pixel_batch(fresh, encoder.input_size)
            views, num_views = view_batch(rows, encoder.input_size)
            pictures = np.concatenate([pixels, views]) if len(views) else pixels
            encoded = self._encode(pictures)
            embeddings[valid], of_views = encoded[: len(pixels)], encoded[len(pixels) :]
            usable = _have_a_direction(embeddings)
            usable[np.repeat(np.arange(len(rows)), num_views)[~_have_a_direction(of_views)]] = False
            report.num_images, report.num_errors = len(pixels), int((~usable).sum())
        rows = put_errors(rows, [_NOT_FINITE if bad else None for bad in valid & ~usable])
        rows = rows.drop_columns(["pixels"])
        rows = rows.append_column("embedding", embedding_column(embeddings, usable))
        if "view_pixels" not in rows.column_names:
            return rows
        ends = pa.array(np.cumsum([0, *num_views]), pa.int32())
        lists = pa.ListArray.from_arrays(ends, embedding_column(of_views))
        return rows.drop_columns(["view_pixels"]).append_column("view_embeddings", lists)

    def _encode(self, pictures: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        if not len(pictures):
            return np.zeros((0, self._encoder.dim), self._dtype)
        with np.errstate(over="ignore"):  # float16 may overflow: `_have_a_direction` sees it
            return self._batches.encode(pictures).astype(self._dtype)

    def _recall(self, rows: Any, embeddings: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Fill in the embeddings that are kept; which rows these are."""
        if self._kept is None:
            return np.zeros(len(rows), dtype=bool)
        sound = rows["pixels"].is_valid()
        hashes = pc.if_else(sound, rows["content_hash"], None).to_pylist()
        with timed(self._tally, "recall", 0) as report:
            found, known = self._kept.read(hashes)
            report.num_images = int(known.sum())
        if found is not None:
            embeddings[known] = found
        return known


def _have_a_direction(embeddings: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    # All zeros have none, so no cosine: as useless as a NaN.
    return np.asarray(np.isfinite(embeddings).all(axis=1) & embeddings.any(axis=1))
