"""A trained network → a baseline on storage: what is known of it, and the document last of all."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version

from ufd_ray import __version__
from ufd_ray.outcome import Outcome
from ufd_ray.pipeline.training.judging import judge_validation
from ufd_ray.pipeline.training.origin import Origin
from ufd_ray.pipeline.training.summary import lines_of_failures, summary_lines
from ufd_ray.pipeline.training.survey import Surveyed
from ufd_ray.pipeline.training.worker import Trained
from ufd_ray.report import draw_curve
from ufd_ray.settings import TrainBaselineSettings
from ufd_ray.storage import (
    BASELINE,
    Lease,
    StorageOptions,
    join_uri,
    utc_now,
    write_document,
    write_object,
    write_table,
)

_VERSIONS = ("torch", "torchvision", "timm", "open_clip_torch", "pillow", "numpy")


def publish(
    settings: TrainBaselineSettings,
    origin: Origin,
    surveyed: Surveyed,
    trained: Trained,
    storage: StorageOptions,
    lease: Lease,
) -> Outcome:
    """Write all that belongs to the network that lies there already, and say what came out.

    Args:
        settings: the job's.
        origin: what was trained.
        surveyed: on which images.
        trained: what came of it.
        storage: how it is reached.
        lease: of the output; it ends before the document is written.

    Raises:
        LeaseError: another process has taken the output over.
        StorageError: a file cannot be written.
    """
    baseline, output = origin.baseline, settings.output
    rejects = write_table(output, "rejects.parquet", surveyed.rejected, storage)
    picture = draw_curve(trained.curve, title=f"{baseline.name}, {baseline.arch}")
    write_object(join_uri(output, "curve.png"), picture, storage)
    counts = surveyed.counts
    exceeded = lines_of_failures(counts, trained, settings.max_error_rate)
    outcome = Outcome.PUBLISHED_WITH_ERRORS if exceeded else Outcome.PUBLISHED
    thresholds, validation = judge_validation(trained.validated, settings.seed)
    document = {
        "outcome": outcome.word,
        "trained_at": utc_now(),
        "name": baseline.name,
        "arch": baseline.arch,
        "options": dict(baseline.options),
        "is_published": baseline.is_published
        and not (baseline.has_batch_norm and trained.num_workers > 1),
        "starts_from": None if origin.spec is None else str(origin.spec),
        "weights_file": None if origin.weights is None else origin.weights.to_dict(),
        "pixels": {
            "train": asdict(baseline.train_pixels),
            "validation": asdict(baseline.validation_pixels),
            "test": asdict(baseline.test_pixels),
        },
        "recipe": asdict(baseline.recipe),
        "seed": settings.seed,
        "num_workers": trained.num_workers,
        "device": origin.device,
        "precision": origin.precision,
        "counts": counts,
        "training_curve": trained.curve,
        "training_resumed_at": trained.resumed_at,
        "validation": validation,
        "num_failed_in_validation": trained.validated.num_failed,
        "thresholds": thresholds,
        "network": trained.network,
        "rejects": rejects.to_dict(),
        "versions": {"ufd-ray": __version__} | {name: version(name) for name in _VERSIONS},
        "settings": settings.model_dump(mode="json"),
        "fingerprint": origin.fingerprint,
    }
    lease.check()
    lease.end()
    write_document(output, BASELINE, document, storage)
    print(*summary_lines(document), *exceeded, sep="\n")
    print(f"baseline: {output}")
    return outcome
