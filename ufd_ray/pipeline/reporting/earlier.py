"""The run before: the last one below the same root that the same detectors published."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow.compute as pc

from ufd_ray.errors import SettingsError, StorageError
from ufd_ray.report import Earlier, Histogram
from ufd_ray.schema import DECIDING
from ufd_ray.storage import PublishedRun, ScoreFiles, StorageOptions, published_runs


def find_earlier(root: str, run: dict[str, Any], storage: StorageOptions) -> Earlier | str:
    """Count the scores of the run before.

    Args:
        root: what `--output` names.
        run: what `run.json` holds so far.
        storage: how storage is reached.

    Returns:
        In words, where there is no such run or it cannot be read: a page fails no run.
    """
    storage = replace(storage, patient=False)
    try:
        runs = [
            one
            for one in published_runs(root, storage)
            if one.run_id != run["run_id"]
            and one.detector_id == run["detector_id"]
            and one.started_at <= run["started_at"]
        ]
        if not runs:
            return "There is no earlier run here with the same detectors and thresholds."
        return _count(root, runs[-1], run["detectors"]["decided_by"], storage)
    except (SettingsError, StorageError) as error:
        return f"The run before cannot be read: {error}"


def _count(root: str, run: PublishedRun, decider: str, storage: StorageOptions) -> Earlier:
    files = ScoreFiles(root, [run], storage)
    histogram, num_fake, column = Histogram.of(decider), 0, DECIDING[decider]
    with files.clear_errors():
        for batch in files.scan([column, "verdict"]):
            histogram.add(np.asarray(batch.column(column).drop_null()))
            num_fake += pc.sum(pc.equal(batch.column("verdict"), "fake")).as_py() or 0
    return Earlier(run.run_id, run.started_at, histogram, num_fake)
