"""The stage that turns pixels into a baseline's scores: one network a worker."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from ufd_ray.baselines import Baseline, features_of_pixels, load_network, score_pixels
from ufd_ray.encoders import require_device
from ufd_ray.errors import ErrorCode, ModelError, UfdError
from ufd_ray.pipeline.cluster import this_node
from ufd_ray.pipeline.placement import Pool
from ufd_ray.pipeline.progress import timed
from ufd_ray.pipeline.rows import pixel_batch, put_errors
from ufd_ray.schema import POSITION
from ufd_ray.settings import Device
from ufd_ray.storage import BaselineInfo, StorageOptions, network_file

SCORE, FEATURES = "score", "features"
COLUMNS = ("position", "image_id", SCORE, "error_code", "error_message")
_NOT_FINITE = ModelError(ErrorCode.NOT_FINITE, "the baseline's score is not a finite number")


class ScoreByBaseline:
    """Ray stage: `pixels` → `SCORE`, and of some `FEATURES`.

    Args:
        baseline: which.
        info: where its network lies.
        device: on which it computes.
        storage: how storage is reached.
        pool: the workers, some of which may share a node's cores.
        tally: where times are reported.
        drawn: positions of the images whose features are wanted, (m,); None: of none.
    """

    def __init__(
        self,
        baseline: Baseline,
        info: BaselineInfo,
        device: Device,
        storage: StorageOptions,
        pool: Pool,
        tally: Any,
        drawn: npt.NDArray[np.int64] | None = None,
    ) -> None:
        # Kept for the first batch: of what an actor raises while it starts, Ray keeps text alone.
        self._failure: UfdError | None = None
        self._baseline, self._tally = baseline, tally
        self._drawn = drawn if baseline.has_features else None
        try:
            require_device(device)
            with network_file(info, storage) as file:
                self._network = load_network(baseline, file).to(device)
        except UfdError as error:
            self._failure = error
            return
        if device == "cpu":
            cpus, gpus = this_node()
            torch.set_num_threads(max(1, cpus // pool.on_a_node(cpus, gpus)))

    def __call__(self, rows: Any) -> Any:
        """Score a batch.

        Args:
            rows: `pa.Table` of `decode_by_recipe`.

        Returns:
            `pa.Table` of `COLUMNS`, `SCORE` float32, null where there is an error; where features
            are wanted, and the baseline has some, `FEATURES`: list of float32, null of all other
            images.
        """
        if self._failure is not None:
            raise self._failure
        with timed(self._tally, "baseline", 0) as report:
            pixels, there = pixel_batch(rows["pixels"], self._baseline.test_pixels.size)
            scores = np.full(len(rows), np.nan, np.float32)
            scores[there] = score_pixels(self._baseline, self._network, pixels)
            sound = np.isfinite(scores)
            columns = {SCORE: pa.array(scores, pa.float32(), mask=~sound)}
            if self._drawn is not None:
                wanted = sound & np.isin(np.asarray(rows[POSITION.name]), self._drawn)
                columns[FEATURES] = self._features(pixels[wanted[there]], wanted)
            # Those that could not be read are counted as well: an image is done either way.
            report.num_images, report.num_errors = len(rows), int((~sound).sum())
        rows = put_errors(rows, [_NOT_FINITE if bad else None for bad in there & ~sound])
        return pa.table({name: rows[name] for name in COLUMNS if name != SCORE} | columns)

    def _features(self, pixels: npt.NDArray[np.uint8], wanted: npt.NDArray[np.bool_]) -> Any:
        """A list an image (n,), null but for the m that are wanted, of which these are the pixels.

        They go through the network once more: who draws none does not pay for it.
        """
        found: list[npt.NDArray[np.float32] | None] = [None] * len(wanted)
        if len(pixels):
            features = features_of_pixels(self._baseline, self._network, pixels)
            for row, of_row in zip(np.flatnonzero(wanted).tolist(), features, strict=True):
                found[row] = of_row
        return pa.array(found, pa.list_(pa.float32()))
