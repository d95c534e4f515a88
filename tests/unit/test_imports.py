"""Only the pipeline knows Ray, and the package says what of it is public."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import ufd_ray

ROOT = Path(__file__).parents[2]
WITHOUT_RAY = (
    "ufd_ray",
    "ufd_ray.baselines",
    "ufd_ray.command_line",
    "ufd_ray.detectors",
    "ufd_ray.encoders",
    "ufd_ray.errors",
    "ufd_ray.evaluation",
    "ufd_ray.images",
    "ufd_ray.notebook",
    "ufd_ray.outcome",
    "ufd_ray.pairing",
    "ufd_ray.report",
    "ufd_ray.schema",
    "ufd_ray.settings",
    "ufd_ray.sizing",
    "ufd_ray.storage",
    "jobs.build_bank",
    "jobs.calibrate",
    "jobs.current",
    "jobs.demo",
    "jobs.evaluate",
    "jobs.export",
    "jobs.fit_probe",
    "jobs.plan",
    "jobs.prune",
    "jobs.report",
    "jobs.score",
    "jobs.train_baseline",
    "jobs.verify",
)


def loads_ray(*modules: str) -> bool:
    """Whether a fresh process has loaded Ray once it has imported these."""
    code = f"import sys, {', '.join(modules)}; print('ray' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True, text=True
    )
    return {"True": True, "False": False}[done.stdout.strip()]


def test_all_but_the_pipeline_does_without_ray() -> None:
    assert not loads_ray(*WITHOUT_RAY)


def test_the_test_above_can_fail() -> None:
    assert loads_ray("ufd_ray.errors", "ufd_ray.pipeline.cluster")


def test_no_package_was_forgotten_above() -> None:
    packages = {f"ufd_ray.{path.parent.name}" for path in (ROOT / "ufd_ray").glob("*/__init__.py")}
    stand_on_ray = {"ufd_ray.pipeline", "ufd_ray.demo"}
    assert packages - set(WITHOUT_RAY) == stand_on_ray


def test_public_names() -> None:
    assert ufd_ray.__all__ == ["__version__", "load_detector"]
    for name in ufd_ray.__all__:
        assert getattr(ufd_ray, name)
