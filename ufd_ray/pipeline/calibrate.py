"""LabelledValues images → thresholds and calibration of a probe, or of a bank's neighbours.

All of it is arithmetic on embeddings that are there already, so one process does it, without Ray.
The labelled images pass a shard at a time; a bank whose neighbours are judged has to fit in memory.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ufd_ray.detectors import Calibration, Probe, scores_of
from ufd_ray.encoders import EncoderIdentity, require_same
from ufd_ray.errors import IdentityError, SettingsError, StorageError
from ufd_ray.evaluation import Settled, settle
from ufd_ray.outcome import Outcome
from ufd_ray.pipeline.calibrating.lines import calibration_lines
from ufd_ray.pipeline.calibrating.values import (
    LabelledValues,
    image_ids,
    logits_of,
    margins_of,
)
from ufd_ray.pipeline.search_device import search_device_here
from ufd_ray.settings import CalibrateSettings
from ufd_ray.storage import (
    BankInfo,
    NeighborsFile,
    ProbeFiles,
    StorageOptions,
    check_writable,
    describe_differences,
    find_document,
    outcome_of_earlier,
    read_bank_info,
    read_neighbors,
    read_probe,
    utc_now,
    write_neighbors,
    write_probe,
)


def calibrate(settings: CalibrateSettings) -> Outcome:
    """Run the job.

    Raises:
        SettingsError: the settings cannot be used, or the images are of no use for it.
        UfdError: something cannot be read or written.
    """
    storage = StorageOptions.of(settings)
    if settings.probe is not None and settings.on is not None and settings.output is not None:
        probe = _Place(settings.probe, settings.output)
        return _calibrate_probe(probe, settings.on, settings, storage)
    bank = read_bank_info(str(settings.bank), storage)
    on = read_bank_info(settings.on, storage, f"--on {settings.on}") if settings.on else bank
    return _calibrate_neighbors(bank, on, settings, storage)


@dataclass(frozen=True)
class _Place:
    """Where a probe is, and where it goes."""

    probe: str
    output: str


def _calibrate_probe(
    place: _Place, on_uri: str, settings: CalibrateSettings, storage: StorageOptions
) -> Outcome:
    probe = read_probe(place.probe, storage)
    on = read_bank_info(on_uri, storage, f"--on {on_uri}")
    _require_alike(probe, f"probe {place.probe}", on)
    _require_unseen(probe, on, settings)
    fingerprint = settings.fingerprint() | {
        "on_content": on.content,
        "probe_content": probe.content,
    }
    there = find_document(place.output, "probe.json", f"--output {place.output}", storage)
    if there is not None and "calibrated_on" not in there:
        raise SettingsError(f"--output {place.output} holds another probe; choose another place")
    earlier = outcome_of_earlier(place.output, "probe.json", fingerprint, "a probe", storage)
    if earlier is not None:
        print(f"this probe has been calibrated already: {place.output}")
        return earlier
    check_writable(place.output, storage)
    storage = replace(storage, patient=True)
    linear = Probe(probe.weight, np.float32(probe.bias))
    judged = logits_of(linear, on, settings.split, storage, without=_trained_on(probe, storage))
    if judged.num_left_out:
        print(f"{judged.num_left_out:,} images left out: the probe was fitted on them")
    _require_both_classes(judged, on, settings)
    settled = settle(
        judged.values,
        scores_of(judged.values),
        judged.labels,
        default=probe.default_threshold,
        settings=settings,
        of=settings.split,
    )
    about = _about(settled, on, settings, fingerprint) | {"fitted_on_shards": _fitted_on(probe)}
    made = replace(
        probe,
        thresholds=settled.thresholds.to_dict(),
        calibration=_as_dict(settled.calibration),
        details=probe.details | about,
    )
    write_probe(place.output, made, storage)
    print(*calibration_lines(settled, "logit"), f"probe: {place.output}", sep="\n")
    return Outcome.PUBLISHED


def _calibrate_neighbors(
    bank: BankInfo, on: BankInfo, settings: CalibrateSettings, storage: StorageOptions
) -> Outcome:
    _require_alike(bank, f"bank {bank.uri}", on)
    fingerprint = settings.fingerprint() | {"on_content": on.content}
    if not settings.replace and (there := read_neighbors(bank, storage)) is not None:
        if differences := describe_differences(there.details.get("fingerprint", {}), fingerprint):
            raise SettingsError(
                f"--bank {bank.uri} has a neighbors.json made with other settings: {differences};"
                " give --replace to make it anew"
            )
        print(f"the neighbours of this bank have been calibrated already: {bank.uri}")
        return Outcome.PUBLISHED
    storage = replace(storage, patient=True)
    device = search_device_here(settings.search_device)
    if device != "cpu":
        print(f"the bank is searched on {device}")
    judged = margins_of(bank, on, settings.split, storage, device)
    if judged.num_left_out:
        print(f"{judged.num_left_out:,} images left out: they are among those that are searched")
    _require_both_classes(judged, on, settings)
    settled = settle(
        judged.values,
        judged.values,
        judged.labels,
        default=0.0,
        settings=settings,
        of=settings.split,
    )
    about = _about(settled, on, settings, fingerprint) | {"num_left_out": judged.num_left_out}
    made = NeighborsFile(settled.thresholds.to_dict(), _as_dict(settled.calibration), about)
    try:
        write_neighbors(bank, made, storage, replace=settings.replace)
    except FileExistsError:
        raise SettingsError(
            f"--bank {bank.uri} has got a neighbors.json meanwhile, by somebody else; look at it,"
            " and give --replace to make it anew"
        ) from None
    print(*calibration_lines(settled, "margin"), f"written: {bank.uri}/neighbors.json", sep="\n")
    return Outcome.PUBLISHED


def _about(
    settled: Settled, on: BankInfo, settings: CalibrateSettings, fingerprint: dict[str, Any]
) -> dict[str, Any]:
    return {
        "judged": settled.details,
        "calibrated_on": {"bank": on.uri, "content": on.content, "split": settings.split},
        "calibrated_at": utc_now(),
        "fingerprint": fingerprint,
    }


def _as_dict(calibration: Calibration | None) -> dict[str, Any] | None:
    return calibration.to_dict() if calibration else None


def _require_alike(judged: ProbeFiles | BankInfo, name: str, on: BankInfo) -> None:
    try:
        mine, theirs = (EncoderIdentity.from_dict(x.encoder) for x in (judged, on))
        require_same(mine, theirs, name, f"bank {on.uri}")
    except IdentityError as error:
        raise SettingsError(str(error)) from error
    if judged.dtype != on.dtype:
        raise SettingsError(
            f"--on {on.uri} keeps embeddings in {on.dtype}, and {name} is for {judged.dtype}; build"
            " it with the same --dtype"
        )


def _require_unseen(probe: ProbeFiles, on: BankInfo, settings: CalibrateSettings) -> None:
    """Refuse to judge a probe by images that it was fitted on."""
    shards = {shard["sha256"] for shard in on.shards}
    if settings.split == "all" and shards.intersection(_fitted_on(probe)):
        raise SettingsError(
            f"--split all: probe {settings.probe} was fitted on the train images of --on {on.uri};"
            " give --split val, or other images"
        )


def _fitted_on(probe: ProbeFiles) -> list[str]:
    """Checksums of the shards that it was fitted on; none of an imported one, or of a stranger."""
    if probe.details.get("recipe") == "imported":
        return []
    record = probe.details.get("fingerprint")
    shards = record.get("bank_shards") if isinstance(record, dict) else None
    return list(probe.details.get("fitted_on_shards") or shards or [])


def _trained_on(probe: ProbeFiles, storage: StorageOptions) -> frozenset[str]:
    """Ids of the images that it was fitted on, as far as its bank still tells."""
    shards, uri = _fitted_on(probe), str(probe.details.get("bank"))
    if not shards:
        return frozenset()
    try:
        bank = read_bank_info(uri, storage)
    except (SettingsError, StorageError):  # gone, or in a place that is not ours to read
        bank = None
    if bank is None or [shard["sha256"] for shard in bank.shards] != shards:
        print(
            f"warning: the bank that the probe was fitted on is not to be read at {uri} as it was:"
            " whether its images are among those of --on cannot be seen"
        )
        return frozenset()
    return image_ids(bank, "train", storage)


def _require_both_classes(
    judged: LabelledValues, on: BankInfo, settings: CalibrateSettings
) -> None:
    num_fake = int(judged.labels.sum())
    num_real = len(judged.labels) - num_fake
    if not (num_real and num_fake):
        more = "; give --split all, or" if settings.split == "val" and settings.on else "; give"
        raise SettingsError(
            f"--on {on.uri}: {num_real:,} real and {num_fake:,} fake images to judge by (split"
            f" {settings.split}), and both are needed{more} a bank that has some"
        )
