"""The main job: a bucket of images → one published run."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from ufd_ray import __version__
from ufd_ray.encoders import EncoderSpec
from ufd_ray.errors import StorageError
from ufd_ray.outcome import Outcome
from ufd_ray.pipeline.cluster import Cluster, join_cluster, our_errors_only, work_begun
from ufd_ray.pipeline.encoding import EncoderPlan, plan_encoder
from ufd_ray.pipeline.flow import Flow, make_flow
from ufd_ray.pipeline.inputs import check_apart, list_inputs, rehearse, storage_options
from ufd_ray.pipeline.pairing import Detectors
from ufd_ray.pipeline.progress import progress_lines, read_tally
from ufd_ray.pipeline.publishing import Census, publish_scores
from ufd_ray.report import render_run
from ufd_ray.settings import ScoreSettings
from ufd_ray.storage import (
    ManifestInfo,
    RunFolder,
    StorageOptions,
    check_writable,
    new_run_id,
    utc_now,
)

_VERSIONS = ("ray", "torch", "torchvision", "timm", "open_clip_torch", "pillow", "numpy")


def score(settings: ScoreSettings) -> Outcome:
    """Run the job.

    Raises:
        SettingsError: the settings cannot be used; nothing was scored.
        UfdError: the run failed; nothing was published, and its `run.json` says so.
    """
    storage = storage_options(settings)
    check_apart(settings.input, settings.output)
    detectors = Detectors.read(settings, storage)
    folder = RunFolder(settings.output, settings.run_id or new_run_id(), storage)
    if (outcome := folder.published(settings.fingerprint())) is not None:
        print(f"run {folder.run_id} has been published already: {folder.uri}")
        return outcome
    with our_errors_only():
        cluster = join_cluster()
        encoder = detectors.encoder
        spec = EncoderSpec(encoder.arch, encoder.weights)
        plan = plan_encoder(settings, spec, encoder.preprocess, detectors.dtype, cluster)
        run = _Run(settings, storage, detectors, plan, folder)
        if settings.dry_run:
            run.rehearse()
            return Outcome.PUBLISHED
        return run.work(cluster)


class _Run:
    """One claimed run, from its listing to `_SUCCESS`, and what `run.json` will say of it."""

    def __init__(
        self,
        settings: ScoreSettings,
        storage: StorageOptions,
        detectors: Detectors,
        plan: EncoderPlan,
        folder: RunFolder,
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._detectors = detectors
        self._plan = plan
        self._folder = folder
        self._begun = time.monotonic()
        self._facts: dict[str, Any] = {
            "run_id": folder.run_id,
            "outcome": "running",
            "started_at": utc_now(),
            "settings": settings.model_dump(mode="json"),
            "fingerprint": settings.fingerprint(),
            "detectors": detectors.describe(plan),
            "versions": {"ufd-ray": __version__} | {name: version(name) for name in _VERSIONS},
        }

    def rehearse(self) -> None:
        """The dry run: all that can be checked without the encoder, and nothing left behind."""
        check_writable(self._folder.uri, self._storage)
        encoder = self._detectors.encoder
        rehearse(self._settings, encoder.preprocess, encoder.input_size, self._storage)
        print("dry run: settings, input and output can be used; nothing was scored")

    def work(self, cluster: Cluster) -> Outcome:
        """Claim the run's name, list, score, publish."""
        self._folder.claim(self._facts)
        print(f"run {self._folder.run_id} → {self._folder.uri}")
        try:
            manifest = list_inputs(self._settings, self._folder.manifest, self._storage)
        except BaseException as error:
            self._clean_up(self._folder.release, error)
            raise
        try:
            with work_begun():
                return self._score_and_publish(cluster, manifest)
        except BaseException as error:
            self._facts |= {
                "outcome": Outcome.FAILED.word,
                "finished_at": utc_now(),
                "error": " ".join(f"{type(error).__name__}: {error}".split())[:1000],
            }
            self._clean_up(lambda: self._folder.fail(self._facts), error)
            raise

    def _score_and_publish(self, cluster: Cluster, manifest: ManifestInfo) -> Outcome:
        flow = make_flow(
            self._settings, self._plan, self._detectors.encoder, cluster, self._storage
        )
        self._score(flow, manifest.num_images)
        files, census = publish_scores(
            self._folder,
            manifest.num_images,
            manifest.further,
            self._settings.rows_per_file,
            self._settings.decider,
            self._metadata(),
        )
        return self._finish(flow, files, census)

    def _score(self, flow: Flow, num_images: int) -> None:
        rows = flow.embed(self._folder.manifest)
        rows = flow.detect(rows, self._detectors.for_stage(self._storage))
        lines = progress_lines(flow.tally, "detect", num_images, self._settings.progress_s)
        with our_errors_only(), lines:
            flow.append(rows, self._folder.parts)

    def _finish(self, flow: Flow, files: list[Any], census: Census) -> Outcome:
        over = census.error_rate > self._settings.max_error_rate
        outcome = Outcome.PUBLISHED_WITH_ERRORS if over else Outcome.PUBLISHED
        self._facts |= {
            "outcome": outcome.word,
            "finished_at": utc_now(),
            "counts": census.to_dict(),
            "timings": self._timings(flow),
            "files": [file.to_dict() for file in files],
        }
        self._folder.finish(self._facts, render_run(self._facts, census.histogram))
        _say(self._folder, census, self._settings.max_error_rate if over else None)
        return outcome

    @staticmethod
    def _clean_up(step: Callable[[], None], error: BaseException) -> None:
        # What went wrong first is what is said; that this failed as well comes after it.
        try:
            step()
        except StorageError as second:
            error.add_note(f"and run.json could not be brought up to date: {second}")

    def _timings(self, flow: Flow) -> dict[str, Any]:
        seconds = (read_tally(flow.tally) or {"seconds": {}})["seconds"]
        return {
            "whole_run_s": round(time.monotonic() - self._begun, 3),
            "worker_seconds_by_stage": {stage: round(s, 3) for stage, s in seconds.items()},
        }

    def _metadata(self) -> dict[str, str]:
        facts = {"run_id": self._folder.run_id, **self._facts["detectors"]}
        return {
            f"ufd_ray.{name}": value if isinstance(value, str) else json.dumps(value)
            for name, value in facts.items()
        }


def _say(run: RunFolder, census: Census, exceeded: float | None) -> None:
    counts = ", ".join(f"{n:,} {word}" for word, n in sorted(census.verdict.items()))
    errors = ", ".join(f"{n:,} {code}" for code, n in sorted(census.error_code.items()))
    print(f"{census.status['scored']:,} of {census.num_images:,} images scored: {counts or 'none'}")
    if errors:
        print(f"{census.status['error']:,} images failed: {errors}")
    if exceeded is not None:
        print(f"that is more than --max-error-rate {exceeded:g} allows: exit status 3")
    print(f"published: {run.uri}/scores/")
