"""A feature bank → a linear probe, fitted by data-parallel workers of Ray Train, and judged."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ufd_ray.detectors import L2_GRID, import_published, tell_whose
from ufd_ray.encoders import EncoderIdentity
from ufd_ray.errors import IdentityError, SettingsError
from ufd_ray.outcome import Outcome
from ufd_ray.pipeline.cluster import join_cluster
from ufd_ray.pipeline.few_images import FEW
from ufd_ray.pipeline.fitting.driver import train
from ufd_ray.pipeline.fitting.judging import Judged, figures, logits_of, settle_probe
from ufd_ray.pipeline.fitting.rows import VAL, read_rows
from ufd_ray.pipeline.fitting.summary import summary
from ufd_ray.pipeline.fitting.worker import CrossValidated, Fitted
from ufd_ray.pipeline.ray_errors import our_errors_only, work_begun
from ufd_ray.report import draw_curve
from ufd_ray.schema import FAKE, REAL
from ufd_ray.settings import FitProbeSettings
from ufd_ray.storage import (
    BankInfo,
    ProbeFiles,
    StorageOptions,
    check_writable,
    join_uri,
    local_copy,
    object_exists,
    outcome_of_earlier,
    read_bank_info,
    utc_now,
    write_object,
    write_probe,
)

USUAL_FOLDS = 5


def fit_probe(settings: FitProbeSettings) -> Outcome:
    """Run the job.

    Raises:
        SettingsError: the settings cannot be used.
        UfdError: the fit failed; there is no probe.
    """
    storage = StorageOptions.of(settings)
    bank = read_bank_info(settings.bank, storage)
    try:
        encoder = EncoderIdentity.from_dict(bank.encoder)
    except IdentityError as error:
        raise SettingsError(f"--bank {settings.bank}: {error}") from error
    _check(settings, bank, storage)
    # The bank's contents, not its name alone: one that was built anew asks for a new probe.
    fingerprint = settings.fingerprint() | {"bank_shards": [s["sha256"] for s in bank.shards]}
    earlier = outcome_of_earlier(
        settings.output, "probe.json", fingerprint, "a probe fitted", storage
    )
    if earlier is not None:
        print(f"this probe has been fitted already: {settings.output}")
        return earlier
    check_writable(settings.output, storage)
    storage = replace(storage, patient=True)
    if encoder.is_random:
        print("warning: the bank's encoder has random weights: what is fitted on it means nothing")
    if settings.import_ is not None:
        fitted = _import(settings.import_, bank, storage)
    else:
        with our_errors_only(), work_begun():
            fitted = _fit(settings, bank, storage)
    files = _judge(settings, bank, fitted)
    files.details.update(weights_are_random=encoder.is_random, fingerprint=fingerprint)
    if fitted.curve:
        picture = draw_curve(fitted.curve, title=f"{files.details['recipe']} probe")
        write_object(join_uri(settings.output, "curve.png"), picture, storage)
    write_probe(settings.output, files, storage)
    print(*summary(files), sep="\n")
    print(f"probe: {settings.output}")
    return Outcome.PUBLISHED


def _check(settings: FitProbeSettings, bank: BankInfo, storage: StorageOptions) -> None:
    if settings.import_ is not None and not object_exists(settings.import_, storage):
        raise SettingsError(f"--import {settings.import_}: there is no such file")
    if (
        settings.import_ is None
        and settings.recipe == "paper"
        and not bank.counts["split"].get("val")
    ):
        raise SettingsError(
            f"--recipe paper stops by held-out images, and the bank {bank.uri} has none; build it"
            " with --val-share, --val-input or a `split` column"
        )
    fewest = min(bank.counts["label"].get(str(label), 0) for label in (REAL, FAKE))
    wanted = settings.folds or (2 if settings.l2 == "cv" else 0)
    if settings.import_ is None and wanted > fewest:
        flag = f"--folds {wanted}" if settings.folds else "--l2 cv"
        raise SettingsError(
            f"{flag}: the bank {bank.uri} has only {fewest:,} images of one class, and each fold"
            f" needs one of it; at least {wanted} are needed"
        )


def _import(uri: str, bank: BankInfo, storage: StorageOptions) -> Fitted:
    with local_copy(uri, storage) as file:
        probe = import_published(file, dim=bank.dim)
    whose = tell_whose(probe, bank.encoder["arch"], bank.encoder["preprocess"])
    print(f"{uri}: {whose}")
    rows = read_rows(bank, storage, [VAL])[VAL]
    val = Judged(rows.labels, logits_of(probe, rows), rows.sources, "val")
    return Fitted(probe, val)


def _fit(settings: FitProbeSettings, bank: BankInfo, storage: StorageOptions) -> Fitted:
    wants_folds = settings.l2 == "cv" or bank.num_searchable <= FEW
    usual = USUAL_FOLDS if wants_folds else 0
    num_folds = usual if settings.folds is None else settings.folds
    if settings.recipe == "paper":
        num_folds = 0  # it cannot be fitted without held-out images
    l2_grid = L2_GRID if settings.l2 == "cv" else (settings.l2,)
    fitted = train(
        settings,
        bank,
        storage,
        join_cluster(),
        l2_grid=l2_grid,
        num_folds=num_folds,
        fewer_folds_do=settings.folds is None,
    )
    if not fitted.converged:
        print("warning: the fit stopped before its optimum")
    return fitted


def _judge(settings: FitProbeSettings, bank: BankInfo, fitted: Fitted) -> ProbeFiles:
    """The probe's files, with all that is known of it."""
    validated = fitted.cross_validated
    judged = fitted.val
    if not judged.has_both_classes and validated is not None:
        judged = validated.judged
    settled = settle_probe(judged, settings)
    details: dict[str, Any] = {
        "fitted_at": utc_now(),
        "recipe": settings.recipe if settings.import_ is None else "imported",
        "l2": fitted.l2,
        "converged": fitted.converged,
        "bank": settings.bank,
        "num_training_images": fitted.num_images,
        "num_training_rows": fitted.num_rows,
        "training_curve": fitted.curve,
        "training_resumed_at": fitted.resumed_at,
        "validation": figures(fitted.val),
        "cross_validation": None if validated is None else _tell(validated),
        "judged": settled.details,
    }
    probe, calibration = fitted.probe, settled.calibration
    return ProbeFiles(
        probe.weight,
        float(probe.bias),
        bank.encoder,
        bank.dtype,
        thresholds=settled.thresholds.to_dict(),
        calibration=None if calibration is None else calibration.to_dict(),
        details=details,
    )


def _tell(validated: CrossValidated) -> dict[str, Any]:
    return {
        "num_folds": validated.num_folds,
        "l2": validated.l2,
        "grid": validated.grid,
        "split_sources": validated.split_sources,
        "figures": figures(validated.judged, validated.num_folds),
    }
