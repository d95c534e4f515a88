"""The stage that turns pixels into a baseline's scores: one network a worker."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import torch

from ufd_ray.baselines import Baseline, load_network
from ufd_ray.encoders import require_device
from ufd_ray.errors import ErrorCode, ModelError, UfdError
from ufd_ray.pipeline.cluster import this_node
from ufd_ray.pipeline.placement import Pool
from ufd_ray.pipeline.progress import timed
from ufd_ray.pipeline.rows import pixel_batch, put_errors
from ufd_ray.pipeline.training.judging import scores_of
from ufd_ray.settings import Device
from ufd_ray.storage import BaselineInfo, StorageOptions, network_file

SCORE = "score"
COLUMNS = ("position", "image_id", SCORE, "error_code", "error_message")
_NOT_FINITE = ModelError(ErrorCode.NOT_FINITE, "the baseline's score is not a finite number")


class ScoreByBaseline:
    """Ray stage: `pixels` → `SCORE`.

    Args:
        baseline: which.
        info: where its network lies.
        device: on which it computes.
        storage: how storage is reached.
        pool: the workers, some of which may share a node's cores.
        tally: where times are reported.
    """

    def __init__(
        self,
        baseline: Baseline,
        info: BaselineInfo,
        device: Device,
        storage: StorageOptions,
        pool: Pool,
        tally: Any,
    ) -> None:
        # Kept for the first batch: of what an actor raises while it starts, Ray keeps text alone.
        self._failure: UfdError | None = None
        self._baseline, self._tally = baseline, tally
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
            `pa.Table` of `COLUMNS`; `SCORE` float32, null where there is an error.
        """
        if self._failure is not None:
            raise self._failure
        with timed(self._tally, "baseline", 0) as report:
            pixels, there = pixel_batch(rows["pixels"], self._baseline.test.size)
            scores = np.full(len(rows), np.nan, np.float32)
            scores[there] = scores_of(self._baseline, self._network, pixels)
            sound = np.isfinite(scores)
            # Those that could not be read are counted as well: an image is done either way.
            report.num_images, report.num_errors = len(rows), int((~sound).sum())
        rows = put_errors(rows, [_NOT_FINITE if bad else None for bad in there & ~sound])
        columns = {name: rows[name] for name in COLUMNS if name != SCORE}
        return pa.table(columns | {SCORE: pa.array(scores, pa.float32(), mask=~sound)})
