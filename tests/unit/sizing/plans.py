"""Measurements whose sums can be done in the head."""

from __future__ import annotations

from ufd_ray.sizing import Measured, StageCost
from ufd_ray.sizing.estimate import Stated

NO_RAY = Stated(
    start_s=0, start_core_s=0, core_s=0, idle_cores=0, list_s=0, publish_s=0, readers_a_core=1
)
MEASURED = Measured(
    num_images=100,
    num_failed=0,
    stages={"fetch": StageCost(0.001, 0.02), "decode": StageCost(0.003, 0.003)},
    num_listed=1000,
    listing_s=0,
    read_bytes=50_000,
    written_bytes=200,
    cpus=2,
    import_s=4,
    model_s=3,
    bank_s=1,
)
"""4 core-ms an image."""
