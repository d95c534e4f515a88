"""Training in the test's own process: Ray Train starts none, which takes most of a small job."""

from __future__ import annotations

import copy
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import ray.data
import torch
from ray.train.v2._internal.execution import train_fn_utils

from ufd_ray.pipeline.data_parallel.workers import Workers, run_workers
from ufd_ray.pipeline.training import driver, worker


@contextmanager
def trained_in_this_process() -> Iterator[None]:
    """Within the block, Ray Train runs the one worker of a training by its local mode."""

    def run_here(function: Any, task: Any, workers: Workers, *rest: Any) -> Any:
        assert workers.num == 1
        return run_workers(function, task, replace(workers, num=0), *rest)

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    context, num_threads = ray.data.DataContext.get_current(), torch.get_num_threads()
    options = copy.deepcopy(context.execution_options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(driver, "run_workers", run_here)
        patch.setattr(worker, "keep_memory", lambda: None)
        patch.setattr(train_fn_utils, "_train_fn_utils", None)
        # As torchrun says it, from which local mode takes that there is a group, of one.
        group = {"RANK": 0, "LOCAL_RANK": 0, "WORLD_SIZE": 1, "LOCAL_WORLD_SIZE": 1}
        for name, value in (group | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}).items():
            patch.setenv(name, str(value))
        try:
            yield
        finally:
            context.execution_options = options
            torch.set_num_threads(num_threads)
