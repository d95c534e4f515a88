"""A plan as lines for a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ufd_ray.sizing.estimate import Estimate
from ufd_ray.sizing.machines import Machines
from ufd_ray.sizing.measured import Measured

_RESOURCES = {"cpu": "CPUs", "encoders": "encoders", "gpu": "GPUs", "network": "network"}


def plan_lines(
    measured: Measured, machines: Machines, found: Estimate, assumptions: Sequence[str]
) -> Iterator[str]:
    """The tables and what they rest on.

    Args:
        measured: on the sample.
        machines: of the cluster.
        found: what was reckoned for it.
        assumptions: what it rests on, a line each.
    """
    failed = f", of which {measured.num_failed:,} failed" if measured.num_failed else ""
    yield f"measured on {measured.num_images:,} images{failed}, {measured.cpus:,} CPUs:"
    yield f"  {'stage':<8} {'core ms an image':>18} {'images/s here':>15}"
    for name, cost in measured.stages.items():
        rate = f"{1 / cost.wall_s:,.1f}" if cost.wall_s > 0 else "–"
        yield f"  {name:<8} {1000 * cost.core_s:>18.3f} {rate:>15}"
    if measured.gpu_images_per_s:
        yield f"  {'encode':<8} {'on a GPU':>18} {measured.gpu_images_per_s:>15,.1f}"
    yield (
        f"  an image is {measured.read_bytes / 1000:,.1f} kB, its row"
        f" {measured.written_bytes:,.0f} bytes"
    )
    yield f"{found.num_images:,} images on {machines}:"
    for name, seconds in found.pace_s.items():
        mark = "  ← bottleneck" if name == found.bottleneck else ""
        yield f"  {_RESOURCES[name]:<24} {1 / seconds:>16,.1f} images/s{mark}"
    if found.cores_a_gpu is not None:
        yield (
            f"  {'CPU cores a GPU needs':<24} {found.cores_a_gpu:>16,.1f}"
            f" (each has {machines.cpus / machines.gpus:,.1f})"
        )
    alone = found.listing_s + found.num_images * found.serial_s
    yield f"  {'start-up':<24} {found.startup_s:>16,.1f} s"
    yield f"  {'listing and publishing':<24} {alone:>16,.1f} s (the driver alone)"
    yield f"  {'whole run':<24} {found.predicted_s:>16,.1f} s = {found.predicted_s / 3600:,.2f} h"
    requests = found.requests
    yield (
        f"  {'S3 requests':<24} {requests.lists:,} LIST, {requests.gets:,} GET,"
        f" {requests.puts:,} PUT or COPY"
    )
    yield (
        f"  {'bytes':<24} {requests.read_bytes / 1e9:,.1f} GB read,"
        f" {requests.written_bytes / 1e9:,.1f} GB written"
    )
    for what, amount in found.costs.items():
        yield f"  cost of {what:<24} {amount:>8,.2f}"
    if found.costs:
        yield f"  {'cost, of what has a price':<32} {sum(found.costs.values()):>8,.2f}"
    yield "assumed:"
    yield from (f"  - {line}" for line in assumptions)
