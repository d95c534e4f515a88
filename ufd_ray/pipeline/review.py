"""A sample that a person has labelled → how right the verdicts of its run are."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from ufd_ray import __version__
from ufd_ray.errors import SettingsError
from ufd_ray.evaluation.review import LabelledStratum, estimate, review_lines
from ufd_ray.outcome import Outcome
from ufd_ray.settings import EvaluateSettings
from ufd_ray.storage import (
    FilledIn,
    StorageOptions,
    check_writable,
    find_document,
    find_scored,
    read_labels,
    utc_now,
    write_document,
)

DOCUMENT = "review.json"
_CONFIDENCE = 0.95


def review(settings: EvaluateSettings, labels: str) -> Outcome:
    """Run the job: it writes `review.json`. It needs neither Ray nor an image.

    Args:
        settings: the job's.
        labels: place of the filled-in file.

    Raises:
        SettingsError: the file cannot be gone by, has no labels, is of another run, or the output
            holds what is none of its reviews.
        StorageError: the document cannot be written.
    """
    storage = StorageOptions.of(settings)
    found = read_labels(labels, storage)
    if settings.run is not None:
        _check_run(settings.run, found.record["scores"], storage)
    counts = Counter(label for of_stratum in found.labels.values() for label in of_stratum)
    if not counts["real"] + counts["fake"]:
        raise SettingsError(f"--labels {labels}: no image in it is labelled real or fake yet")
    _check_output(settings.output, found, storage)
    check_writable(settings.output, storage)
    strata = _strata(found)
    figures = estimate(strata, confidence=_CONFIDENCE, seed=settings.seed)
    document = {
        "reviewed_at": utc_now(),
        "ufd_ray": __version__,
        "scores": found.record["scores"],
        "sample_sha256": found.record["sha256"],
        "labels_sha256": found.sha256,
        "seed": settings.seed,
        "counts": found.record["counts"],
        "labels": {name or "none": counts[name] for name in ("real", "fake", "unsure", None)},
        "strata": _described(found),
        "confidence": _CONFIDENCE,
        "figures": {name: asdict(figure) for name, figure in figures.items()},
        "with_unsure_as": _with_unsure(found, counts["unsure"], settings.seed),
    }
    write_document(settings.output, DOCUMENT, document, storage)
    print(
        f"{counts.total():,} images drawn of {found.record['counts']['distinct']:,}:"
        f" {counts['real']:,} real, {counts['fake']:,} fake,"
        f" {counts['unsure']:,} unsure (left out),"
        f" {counts[None]:,} without a label"
    )
    print(*review_lines(figures, _CONFIDENCE), sep="\n")
    print(f"written: {settings.output}/{DOCUMENT}")
    return Outcome.PUBLISHED


def _check_run(place: str, recorded: dict[str, Any], storage: StorageOptions) -> None:
    now = find_scored(place, storage).identity
    for name in ("kind", "run_ids", "detector_id", "files_sha256"):
        if now[name] != recorded[name]:
            raise SettingsError(
                f"--run {place}: {name} is {now[name]!r}, and the sample was drawn where it was"
                f" {recorded[name]!r}; give the run of the sample, or draw another one"
            )


def _check_output(output: str, found: FilledIn, storage: StorageOptions) -> None:
    """More labels of a sample take the place of fewer; nothing else is overwritten."""
    given = f"--output {output}"
    earlier = find_document(output, DOCUMENT, given, storage)
    if earlier is not None and earlier.get("sample_sha256") != found.record["sha256"]:
        raise SettingsError(
            f"{given} holds the review of another sample ({DOCUMENT}); choose another place"
        )


def _strata(found: FilledIn, unsure_as: str = "unsure") -> list[LabelledStratum]:
    strata = []
    for facts in found.record["strata"]:
        labels = [unsure_as if x == "unsure" else x for x in found.labels[facts["stratum"]]]
        real, fake = labels.count("real"), labels.count("fake")
        strata.append(LabelledStratum(facts["verdict"] == "fake", facts["size"], real, fake))
    return strata


def _described(found: FilledIn) -> list[dict[str, Any]]:
    described = []
    for facts in found.record["strata"]:
        counts = Counter(found.labels[facts["stratum"]])
        labels = {name or "none": counts[name] for name in ("real", "fake", "unsure", None)}
        described.append(facts | labels)
    return described


def _with_unsure(found: FilledIn, num_unsure: int, seed: int) -> dict[str, Any] | None:
    """All figures if every unsure image were real, and if it were fake: how far they may be off."""
    if not num_unsure:
        return None
    return {
        word: {
            name: figure.value for name, figure in estimate(_strata(found, word), seed=seed).items()
        }
        for word in ("real", "fake")
    }
