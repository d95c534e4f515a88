"""Labelled images → one of the paper's other detectors, trained by workers of Ray Train."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace

import ray

from ufd_ray.baselines import Baseline, baseline_named
from ufd_ray.encoders import EncoderSpec, resolve_device
from ufd_ray.encoders.checkpoints import WeightsFile
from ufd_ray.errors import SettingsError
from ufd_ray.outcome import Outcome
from ufd_ray.pipeline.cluster import Cluster, join_cluster
from ufd_ray.pipeline.inputs import check_apart, list_inputs, rehearse
from ufd_ray.pipeline.leasing import leased
from ufd_ray.pipeline.placement import LIGHT
from ufd_ray.pipeline.ray_errors import our_errors_only, work_begun
from ufd_ray.pipeline.training.driver import choose_precision, train
from ufd_ray.pipeline.training.origin import Origin
from ufd_ray.pipeline.training.starting import check_start, starting_spec
from ufd_ray.pipeline.training.survey import Surveyed, survey_images
from ufd_ray.pipeline.training.writing import publish
from ufd_ray.pipeline.waiting import stay_through_losses, wait_for_machine
from ufd_ray.settings import Device, Precision, TrainBaselineSettings
from ufd_ray.storage import (
    BASELINE,
    Lease,
    StorageOptions,
    check_writable,
    join_uri,
    new_run_id,
    outcome_of_earlier,
    tidy_up,
)


def train_baseline(settings: TrainBaselineSettings) -> Outcome:
    """Run the job. The baseline exists once `baseline.json` does, which is written last.

    Raises:
        SettingsError: the settings cannot be used; nothing was trained.
        UfdError: the job failed; there is no baseline.
    """
    storage = StorageOptions.of(settings)
    check_apart(settings.input, settings.output)
    check_apart(settings.val_input, settings.output, "--val-input")
    baseline = choose_baseline(settings)
    spec = starting_spec(baseline, settings.weights, storage)
    fingerprint = settings.fingerprint()
    what = "a baseline trained"
    earlier = outcome_of_earlier(settings.output, BASELINE, fingerprint, what, storage)
    if earlier is not None:
        print(f"this baseline has been trained already: {settings.output}")
        return earlier
    check_writable(settings.output, storage)
    storage = replace(storage, patient=True)
    with our_errors_only():
        cluster = join_cluster()
        device, precision = _choose_device(settings, cluster)
        print(f"baseline {_in_words(baseline, spec)}")
        stay_through_losses(settings.wait_for_gpus_s)
        wait_for_machine(cluster, settings.wait_for_gpus_s, num_cpus=LIGHT)
        weights = None if spec is None else _try_start(settings, baseline, spec, storage)
        if settings.dry_run:
            rehearse(settings, "crop", baseline.test_pixels.size, storage, labelled=True)
            print("dry run: settings, input and output can be used; nothing was written")
            return Outcome.PUBLISHED
        with leased(settings.output, BASELINE, storage) as lease:
            earlier = outcome_of_earlier(settings.output, BASELINE, fingerprint, what, storage)
            if earlier is not None:  # another process had just done it
                lease.end()
                return earlier
            origin = Origin(baseline, spec, weights, device, precision, fingerprint)
            return _work(settings, origin, storage, cluster, lease)


def _work(
    settings: TrainBaselineSettings,
    origin: Origin,
    storage: StorageOptions,
    cluster: Cluster,
    lease: Lease,
) -> Outcome:
    """List, survey, train and publish."""
    # Below the output and under a name of its own: what was killed is never picked up.
    scratch = join_uri(settings.output, f"surveying-{new_run_id()}")
    manifest, parts = join_uri(scratch, "manifest"), join_uri(scratch, "parts")
    try:
        num_images = list_inputs(settings, manifest, storage, labelled=True).num_images
        with work_begun():
            surveyed = survey_images(
                settings, origin.baseline, manifest, parts, num_images, storage
            )
    finally:
        tidy_up(scratch, storage)
    with work_begun():
        # Under a name that the same work has again: a killed job goes on from its last checkpoint.
        folder = join_uri(settings.output, f"training-{_identity(origin, surveyed)}")
        trained = train(settings, origin, surveyed.images, folder, storage, cluster)
        outcome = publish(settings, origin, surveyed, trained, storage, lease)
        tidy_up(folder, storage)
        return outcome


def _identity(origin: Origin, surveyed: Surveyed) -> str:
    """Of all that decides a training, 16 hex digits."""
    baseline = origin.baseline
    weights = origin.weights.sha256 if origin.weights else None
    decides = [
        origin.fingerprint,
        origin.precision,
        weights,
        surveyed.sha256,
        asdict(baseline.recipe),
        asdict(baseline.train_pixels),
        asdict(baseline.validation_pixels),
    ]
    return hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:16]


def choose_baseline(settings: TrainBaselineSettings) -> Baseline:
    """The baseline that a job's settings ask for.

    By another recipe, or from other weights, it is not the published one.

    Raises:
        SettingsError: there is none like that, or its batches cannot be halves of both classes.
    """
    baseline = baseline_named(settings.baseline, settings.arch, settings.options)
    published = baseline.recipe
    recipe = replace(
        published,
        learning_rate=settings.learning_rate or published.learning_rate,
        batch_size=settings.batch_size or published.batch_size,
        max_epochs=settings.epochs or published.max_epochs,
    )
    if recipe.balanced and recipe.batch_size % 2:
        raise SettingsError(
            f"--batch-size {recipe.batch_size}: half of each batch of {baseline.name} is real; give"
            " an even number"
        )
    baseline.recipe = recipe
    if recipe != published or settings.weights not in (None, baseline.weights_tag):
        baseline.is_published = False
    return baseline


def _choose_device(settings: TrainBaselineSettings, cluster: Cluster) -> tuple[Device, Precision]:
    choice = resolve_device(
        settings.device,
        cluster.num_gpus,
        may_grow=cluster.may_grow,
        autoscales=cluster.autoscales,
    )
    precision = choose_precision(settings.precision, choice.device)
    print(f"training on {choice.device} in {precision}: {choice.reason}")
    return choice.device, precision


def _in_words(baseline: Baseline, spec: EncoderSpec | None) -> str:
    words = [f"{baseline.name}, {baseline.arch}"]
    words += [f"{name} {word}" for name, word in baseline.options.items()]
    words.append("from scratch" if spec is None else f"starting from {spec}")
    if not baseline.is_published:
        words.append("not as published")
    return ", ".join(words)


def _try_start(
    settings: TrainBaselineSettings,
    baseline: Baseline,
    spec: EncoderSpec,
    storage: StorageOptions,
) -> WeightsFile | None:
    """See on a worker that the weights can be had and fit, before images are listed."""
    check = ray.remote(num_cpus=LIGHT)(check_start)
    file: WeightsFile | None = ray.get(check.remote(baseline, spec, settings.seed, storage))
    return file
