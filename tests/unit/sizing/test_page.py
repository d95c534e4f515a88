"""The plan as it is printed."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.sizing.plans import MEASURED
from ufd_ray.sizing import Machines, Measured, Prices, estimate, plan_lines


def page(machines: Machines, measured: Measured = MEASURED, prices: Prices | None = None) -> str:
    found = estimate(measured, machines, 100_000_000, prices or Prices(), 60)
    return "\n".join(plan_lines(measured, machines, found, ["one thing", "another"]))


def test_hundred_million_images_on_eight_machines_of_eight_gpus() -> None:
    said = page(Machines(8, 192, 8, 1500.0), prices=Prices(machine_hour=98.32))
    assert "100,000,000 images on 8 × 192 CPUs and 8 GPUs:" in said
    assert "96,000.0 images/s  ← bottleneck" in said  # 64 GPUs of 1,500
    assert "CPU cores a GPU needs                 7.5 (each has 24.0)" in said
    assert "100,000 LIST" in said
    assert "cost of machines" in said


def test_the_bottleneck_is_marked_once() -> None:
    said = page(Machines(8, 8, 8, 1500.0, 1e9))
    (line,) = [line for line in said.splitlines() if "bottleneck" in line]
    assert line.split()[0] == "CPUs"


def test_every_stage_and_every_assumption_is_a_line() -> None:
    lines = page(Machines(1, 2)).splitlines()
    for name in MEASURED.stages:
        assert sum(line.split()[:1] == [name] for line in lines) == 1
    assert lines[-3:] == ["assumed:", "  - one thing", "  - another"]
    assert "GPU" not in "\n".join(lines)
    assert "cost" not in "\n".join(lines)


def test_failures_in_the_sample_are_said() -> None:
    assert ", of which 3 failed," in page(Machines(1, 2), replace(MEASURED, num_failed=3))
