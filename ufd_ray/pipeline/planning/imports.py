"""What it takes a worker to import what it runs."""

from __future__ import annotations

import resource
import subprocess
import sys


def import_seconds() -> float:
    """Core-seconds in which a fresh process imports the flow's stages."""
    before = _of_children()
    subprocess.run([sys.executable, "-c", "import ufd_ray.pipeline.flow"], check=True)
    return _of_children() - before


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
