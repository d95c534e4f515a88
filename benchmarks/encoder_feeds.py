"""The ways in which pixels come to a device, batch after batch, that `encoder.py` compares."""

from __future__ import annotations

from collections.abc import Callable

import torch
from encoder_recipes import Runner, wait
from torch import Tensor


def resident(run: Runner, batches: list[Tensor]) -> None:
    """No copies: the first batch lies on the device already, and results stay there."""
    there = batches[0].to(run.device)
    for _ in batches:
        run(there)
    wait(run.device)


def pageable(run: Runner, batches: list[Tensor]) -> None:
    """Copied from ordinary memory, waited for, and the result waited for."""
    for batch in batches:
        run(batch.to(run.device)).cpu()


def pinned(run: Runner, batches: list[Tensor]) -> None:
    """Copied into pinned memory, from there to the device; each batch waited for."""
    staging = torch.empty_like(batches[0], pin_memory=run.device == "cuda")
    for batch in batches:
        staging.copy_(batch)
        run(staging.to(run.device, non_blocking=True)).cpu()


def overlapped(run: Runner, batches: list[Tensor]) -> None:
    """Two batches under way: one is staged and copied while the other is computed on."""
    if run.device != "cuda":
        return pageable(run, batches)
    compute, copies = torch.cuda.current_stream(), torch.cuda.Stream()
    staging = [torch.empty_like(batches[0], pin_memory=True) for _ in range(2)]
    arrived = [torch.cuda.Event() for _ in range(2)]
    results: list[tuple[Tensor, torch.cuda.Event]] = []
    for number, batch in enumerate(batches):
        place = number % 2
        arrived[place].synchronize()  # before its pinned memory is written over
        staging[place].copy_(batch)
        with torch.cuda.stream(copies):
            there = staging[place].to("cuda", non_blocking=True)
            arrived[place].record(copies)
        compute.wait_event(arrived[place])
        there.record_stream(compute)
        features = run(there)
        # Queued before the next batch, so that waiting for it is not waiting for that one.
        here = torch.empty(features.shape, pin_memory=True)
        here.copy_(features, non_blocking=True)
        done = torch.cuda.Event()
        done.record(compute)
        results.append((here, done))
        if number:
            results[number - 1][1].synchronize()
    results[-1][1].synchronize()
    return None


FEEDS: dict[str, Callable[[Runner, list[Tensor]], None]] = {
    "none": resident,
    "pageable": pageable,
    "pinned": pinned,
    "overlapped": overlapped,
}
