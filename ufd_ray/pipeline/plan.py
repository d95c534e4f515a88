"""What a run will take, before it is paid for: a sample measured here, a cluster reckoned with."""

from __future__ import annotations

import os
import time
from functools import partial

from ufd_ray.outcome import Outcome
from ufd_ray.pipeline.inputs import look_over
from ufd_ray.pipeline.planning.assumptions import assumptions
from ufd_ray.pipeline.planning.document import about, as_document, folder_and_name, write_plan
from ufd_ray.pipeline.planning.imports import import_seconds
from ufd_ray.pipeline.planning.measuring import Listing, measure
from ufd_ray.pipeline.planning.sampling import sample_rows
from ufd_ray.pipeline.planning.subject import load_subject
from ufd_ray.settings import PlanSettings
from ufd_ray.sizing import Machines, Measured, Prices, estimate, plan_lines
from ufd_ray.storage import StorageOptions, check_writable


def plan(settings: PlanSettings) -> Outcome:
    """Run the job.

    Raises:
        SettingsError: the settings cannot be used.
        UfdError: something cannot be read or measured.
    """
    storage = StorageOptions.of(settings)
    if settings.output is not None:
        check_writable(folder_and_name(settings.output)[0], storage)
    subject = load_subject(settings, storage)
    draw = partial(sample_rows, num_rows=settings.sample, seed=settings.seed)
    begun = time.perf_counter()
    listed, rows = look_over(settings, storage, draw)
    listing = Listing(listed.num_images, time.perf_counter() - begun, rows)
    machines = _machines(settings)
    num_cores = max(1, (os.cpu_count() or 1) // machines.encoders_a_machine)
    import_s = import_seconds() if settings.startup_s is None else None
    measured = measure(settings, subject, listing, storage, num_cores, import_s)
    machines = _machines(settings, measured)
    prices = Prices(
        settings.price_machine_hour,
        settings.price_1000_gets,
        settings.price_1000_lists,
        settings.price_gb_egress,
    )
    num_images = settings.num_images or listed.num_images
    found = estimate(measured, machines, num_images, prices, settings.startup_s)
    rests_on = list(assumptions(settings, subject, measured, machines))
    print(*plan_lines(measured, machines, found, rests_on), sep="\n")
    if settings.output is not None:
        what = about(settings, subject.identity, subject.plan, subject.detectors)
        content = as_document(settings, what, measured, machines, prices, found, rests_on)
        write_plan(settings.output, content, storage)
        print(f"written: {settings.output}")
    return Outcome.PUBLISHED


def _machines(settings: PlanSettings, measured: Measured | None = None) -> Machines:
    """The cluster that the settings name; a GPU as fast as one here, where they do not say."""
    rate = settings.gpu_images_per_s
    if rate is None and measured is not None:
        rate = measured.gpu_images_per_s
    network = settings.network_mb_per_s
    return Machines(
        number=settings.machines,
        cpus=settings.cpus_per_machine or os.cpu_count() or 1,
        gpus=settings.gpus_per_machine,
        gpu_images_per_s=rate,
        network_bytes_per_s=None if network is None else network * 1e6,
        encoders=settings.num_encoders,
    )
