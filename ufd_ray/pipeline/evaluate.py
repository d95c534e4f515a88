"""Labelled test sets → figures of every detector, in the layout of the paper's tables."""

from __future__ import annotations

from dataclasses import replace

from ufd_ray.encoders import DeviceChoice, EncoderSpec
from ufd_ray.errors import SettingsError
from ufd_ray.outcome import Outcome
from ufd_ray.pairing import Detectors
from ufd_ray.pipeline.cluster import Cluster, join_cluster
from ufd_ray.pipeline.comparing.checking import check_networks
from ufd_ray.pipeline.comparing.compared import read_compared
from ufd_ray.pipeline.comparing.scoring import beside, score_by_baselines
from ufd_ray.pipeline.encoding import EncoderPlan, plan_encoder
from ufd_ray.pipeline.evaluating.document import DOCUMENT
from ufd_ray.pipeline.evaluating.evaluation import Evaluation
from ufd_ray.pipeline.evaluating.listed_sets import ListedSets
from ufd_ray.pipeline.evaluating.publishing import publish
from ufd_ray.pipeline.evaluating.sampled import SampledImages
from ufd_ray.pipeline.evaluating.scoring import score_images
from ufd_ray.pipeline.evaluating.spectra import mean_spectra
from ufd_ray.pipeline.inputs import check_apart, list_inputs, rehearse
from ufd_ray.pipeline.placement import LIGHT
from ufd_ray.pipeline.ray_errors import our_errors_only, work_begun
from ufd_ray.pipeline.searching import Encoding, choose_search_device
from ufd_ray.pipeline.sweeping.banks import read_others, tell_small_class
from ufd_ray.pipeline.sweeping.beside import plan_sweeps, sweep
from ufd_ray.pipeline.sweeping.scoring import Embedded
from ufd_ray.pipeline.waiting import wait_for_machine
from ufd_ray.settings import EvaluateSettings
from ufd_ray.storage import (
    Parts,
    StorageOptions,
    check_writable,
    join_uri,
    new_run_id,
    outcome_of_earlier,
    read_bank_info,
    tidy_up,
)

_ROWS_AT_ONCE = 50_000
"""Rows of the flow, with the neighbours of each, that are in memory at a time."""


def evaluate(settings: EvaluateSettings) -> Outcome:
    """Run the job. The evaluation exists once `evaluation.json` does, which is written last.

    Raises:
        SettingsError: the settings cannot be used; nothing was encoded.
        UfdError: the job failed; there is no evaluation.
    """
    storage = StorageOptions.of(settings)
    check_apart(settings.input, settings.output)
    detectors = _read_detectors(settings, storage)
    others, probe = read_others(settings, storage), detectors.probe
    compared = read_compared(settings, storage)
    fingerprint = settings.fingerprint() | detectors.contents()
    fingerprint["probe_thresholds"] = probe.thresholds if probe else None
    fingerprint["compared_banks"] = {one.name: one.bank.content for one in others} or None
    fingerprint["compared_baselines"] = {one.name: one.content for one in compared} or None
    earlier = outcome_of_earlier(settings.output, DOCUMENT, fingerprint, "an evaluation", storage)
    if earlier is not None:
        print(f"this evaluation has been made already: {settings.output}")
        return earlier
    check_writable(settings.output, storage)
    storage = replace(storage, patient=True)
    sampled = SampledImages(settings.seed) if settings.figures else None
    encoder, sets = detectors.encoder, ListedSets(settings.input, sampled)
    with our_errors_only():
        cluster = join_cluster()
        spec = EncoderSpec(encoder.arch, encoder.weights)
        plan = plan_encoder(settings, spec, encoder.preprocess, detectors.dtype, cluster)
        search_on = _search_on(settings, plan, cluster)
        evaluation = Evaluation(settings, detectors, plan, search_on, storage, compared)
        sweeps = plan_sweeps(evaluation, others, cluster)
        if compared:
            cluster = wait_for_machine(cluster, settings.wait_for_gpus_s, num_cpus=LIGHT)
            check_networks(compared, storage)
        if settings.dry_run:
            mode, size = encoder.preprocess, encoder.input_size
            rehearse(settings, mode, size, storage, labelled=True, sets=sets)
            sets.tell()
            print("dry run: settings, input and output can be used; nothing was written")
            return Outcome.PUBLISHED
        # Below the output and under a name of its own: what was killed is never picked up.
        scratch = join_uri(settings.output, f"evaluating-{new_run_id()}")
        manifest, parts = join_uri(scratch, "manifest"), join_uri(scratch, "parts")
        try:
            listed = list_inputs(settings, manifest, storage, labelled=True, sets=sets)
            sets.tell()
            with work_begun():
                kept = sampled.of_classes(sets.plan) if sampled else None
                num_images = listed.num_images
                embedded = Embedded(parts, manifest, num_images, storage)
                flow = score_images(evaluation, cluster, embedded, kept)
                rows = Parts(parts, manifest, storage)
                rows.check_accounts(num_images)
                spectra = None
                if sampled:
                    spectra = mean_spectra(flow, manifest, sampled.of_sets(sets.plan), num_images)
                swept = sweep(sweeps, evaluation, cluster, embedded, scratch)
                scored = score_by_baselines(
                    evaluation, cluster, manifest, num_images, scratch, kept
                )
                tables = rows.ranges(num_images, _ROWS_AT_ONCE)
                tables = beside(tables, scored, num_images, _ROWS_AT_ONCE)
                return publish(evaluation, tables, fingerprint, spectra, swept, kept)
        finally:
            tidy_up(scratch, storage)


def _read_detectors(settings: EvaluateSettings, storage: StorageOptions) -> Detectors:
    if settings.bank is not None:
        bank = read_bank_info(settings.bank, storage)
        num = bank.num_searchable
        if settings.ks[-1] > num:
            raise SettingsError(
                f"--ks {settings.ks[-1]}: the bank has only {num:,} images to search; give smaller"
                " numbers"
            )
        tell_small_class(f"--ks {settings.ks[-1]}", "the bank", bank, settings.ks[-1])
    return Detectors.read(settings.deciding, storage)


def _search_on(
    settings: EvaluateSettings, plan: EncoderPlan, cluster: Cluster
) -> DeviceChoice | None:
    if settings.bank is None:
        return None
    encoding = Encoding(plan.device, settings.gpus_per_encoder)
    return choose_search_device(settings.search_device, encoding, cluster)
