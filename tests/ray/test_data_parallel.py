"""Ray Train's workers where there is no place for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.crawl.handmade import HERE
from ufd_ray.errors import ClusterError
from ufd_ray.pipeline.data_parallel import workers
from ufd_ray.pipeline.data_parallel.progress import start_last_word
from ufd_ray.pipeline.data_parallel.workers import Workers, run_workers


@pytest.mark.slow
def test_workers_that_have_no_place_are_not_waited_for_for_ever(
    ray_cluster: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(workers, "_PLACED_WITHIN_S", 2.0)
    monkeypatch.setenv("RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", "2")
    wanted = Workers(3, {"CPU": 999}, "gloo", 0, wait_s=4, what="fit")
    given = (str(tmp_path / "checkpoints"), HERE, start_last_word(), 0.5)
    with pytest.raises(ClusterError, match=r"3 workers \(999 CPU each\) were wanted"):
        run_workers(lambda _: 1, None, wanted, *given)
    assert "waiting for 3 workers (999 CPU each)" in capsys.readouterr().out
