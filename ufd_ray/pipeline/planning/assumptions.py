"""What a plan rests on, a line each."""

from __future__ import annotations

from collections.abc import Iterator

from ufd_ray.pipeline.planning.subject import Subject
from ufd_ray.settings import PlanSettings
from ufd_ray.sizing import RAY, Machines, Measured


def assumptions(
    settings: PlanSettings, subject: Subject, measured: Measured, machines: Machines
) -> Iterator[str]:
    """The lines.

    Args:
        settings: the job's.
        subject: what was measured.
        measured: on the sample.
        machines: of the cluster.
    """
    yield (
        f"all {measured.num_listed:,} images are like the {measured.num_images:,} that were drawn"
        f" (seed {settings.seed})"
    )
    yield f"a core of the cluster is as fast as one of the {measured.cpus:,} here"
    if machines.gpus:
        where = "as given" if settings.gpu_images_per_s else "measured on a GPU here"
        yield (
            f"a GPU encodes {machines.gpu_images_per_s:,.1f} images/s ({where}), and nothing else"
            " keeps it busy"
        )
    else:
        yield f"encoders ({machines.num_encoders:,}) run on CPUs, and share cores with the rest"
    if subject.bank is not None:
        yield "the bank is searched on CPUs, whole on every machine"
    if subject.encoder is None and subject.bank is not None:
        yield "what the search was measured with are images of the bank, a little altered"
    if machines.network_bytes_per_s is None:
        yield "the network is no bound (--network-mb-per-s says what it is)"
    yield "every image is read and encoded: none is known, and no embedding of it is kept"
    yield "an image is an object of its own; in tars and Parquet they share requests"
    if settings.startup_s is not None:
        yield f"start-up takes {settings.startup_s:g} s, as given"
    else:
        loading = max(measured.model_s or 0, measured.bank_s or 0)
        yield (
            f"start-up: {RAY.start_s:g} s of Ray (assumed), or {RAY.start_core_s:g} core-seconds of"
            f" it where cores are few; {measured.import_s or 0:.1f} core-seconds of imports a"
            f" worker and {loading:.1f} s for model and bank (measured); machines are up"
        )
        if measured.model_s is None:
            yield "loading the model was not measured: --startup-s says more"
    yield f"Ray moves an image between stages in {1000 * RAY.core_s:g} core-ms (assumed)"
    yield f"Ray's own processes take {RAY.idle_cores:g} cores of each machine"
    if measured.listing_each_s is None:
        listing = f"{1e6 * RAY.list_s:g} s a million further images, as in a manifest on a disk"
    else:
        listing = f"{1e6 * measured.listing_each_s:.1f} s a million images, as measured here"
    yield f"listing takes {listing}; a cluster's driver is as near to the store"
    yield f"publishing takes {1e6 * RAY.publish_s:g} s a million rows, as on a local disk"
    yield "requests, reckoned from how a run lays out its files, go through at the first try"
    yield "storing costs nothing"
