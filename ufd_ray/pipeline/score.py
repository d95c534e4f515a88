"""The main job: a bucket of images → one published run."""

from __future__ import annotations

from dataclasses import replace

from ufd_ray.encoders import DeviceChoice, EncoderSpec
from ufd_ray.outcome import Outcome
from ufd_ray.pairing import Detectors
from ufd_ray.pipeline.cluster import Cluster, join_cluster
from ufd_ray.pipeline.encoding import EncoderPlan, plan_encoder
from ufd_ray.pipeline.inputs import check_apart
from ufd_ray.pipeline.planning.document import about, read_plan
from ufd_ray.pipeline.ray_errors import our_errors_only
from ufd_ray.pipeline.recalling import plan_recall
from ufd_ray.pipeline.run import Run, say_published
from ufd_ray.pipeline.searching import Encoding, choose_search_device
from ufd_ray.pipeline.stored_input import Stored, find_stored
from ufd_ray.settings import ScoreSettings
from ufd_ray.storage import RunFolder, StorageOptions, find_runs, new_run_id


def score(settings: ScoreSettings) -> Outcome:
    """Run the job, or go on where an earlier process under the same id stopped.

    Raises:
        SettingsError: the settings cannot be used; nothing was scored.
        UfdError: the run failed; nothing was published, and its `run.json` says so.
    """
    storage = StorageOptions.of(settings)
    check_apart(settings.input, settings.output)
    check_apart(settings.embeddings, settings.output, "--embeddings")
    detectors = Detectors.read(settings, storage)
    folder = RunFolder(settings.output, settings.run_id or new_run_id(), storage)
    if (outcome := folder.published(settings.fingerprint() | detectors.contents())) is not None:
        return say_published(folder, outcome)
    print(detectors.say())
    if (line := detectors.say_out_of_bank()) is not None:
        print(line)
    with our_errors_only():
        cluster = join_cluster()
        reached = replace(folder, options=replace(storage, patient=True))
        stored = find_stored(settings, detectors.encoder, storage)
        plan = _plan(settings, detectors, stored, cluster)
        search_on = _search_on(settings, detectors, plan, cluster)
        planned = None
        if settings.plan is not None:
            now = about(settings, detectors.encoder, plan, detectors)
            planned = read_plan(settings.plan, now, storage)
        run = Run(settings, detectors, plan, reached, stored, search_on, planned)
        return run.rehearse() if settings.dry_run else run.work(cluster)


def _plan(
    settings: ScoreSettings, detectors: Detectors, stored: Stored | None, cluster: Cluster
) -> EncoderPlan:
    encoder = detectors.encoder
    if stored is not None:
        return stored.plan(encoder, detectors.dtype)
    if settings.from_run:
        storage = StorageOptions.of(settings)
        runs = find_runs(settings.output, settings.from_run, "--from-run", storage)
        return plan_recall(runs, encoder, detectors.dtype)
    spec = EncoderSpec(encoder.arch, encoder.weights)
    return plan_encoder(settings, spec, encoder.preprocess, detectors.dtype, cluster)


def _search_on(
    settings: ScoreSettings, detectors: Detectors, plan: EncoderPlan, cluster: Cluster
) -> DeviceChoice | None:
    if detectors.bank is None:
        return None
    encodes = settings.input_kind == "images"
    encoding = Encoding(plan.device, settings.gpus_per_encoder) if encodes else None
    return choose_search_device(settings.search_device, encoding, cluster)
