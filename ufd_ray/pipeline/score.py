"""The main job: a bucket of images → one published run."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import ray

from ufd_ray import __version__
from ufd_ray.detectors import Probe
from ufd_ray.encoders import EncoderIdentity, require_same
from ufd_ray.errors import IdentityError, SettingsError
from ufd_ray.outcome import Outcome
from ufd_ray.pipeline.cluster import Cluster, join_cluster, our_errors_only
from ufd_ray.pipeline.encoding import EncoderPlan, plan_encoder
from ufd_ray.pipeline.flow import make_flow
from ufd_ray.pipeline.inputs import list_inputs, rehearse, storage_options
from ufd_ray.pipeline.progress import progress_lines
from ufd_ray.pipeline.publishing import Census, publish_scores
from ufd_ray.report import render_run
from ufd_ray.settings import ScoreSettings
from ufd_ray.storage import (
    BankInfo,
    ProbeFiles,
    RunFolder,
    StorageOptions,
    new_run_id,
    read_bank_info,
    read_probe,
    read_searchable,
    utc_now,
)

_VERSIONS = ("ray", "torch", "torchvision", "timm", "open_clip_torch", "pillow", "numpy")


@dataclass(frozen=True)
class _Detectors:
    """Bank and probe as their JSON says, and the one encoder that both were made with."""

    bank: BankInfo | None
    probe: ProbeFiles | None
    encoder: EncoderIdentity

    @property
    def dtype(self) -> str:
        return (self.bank or self.probe).dtype  # type: ignore[union-attr]


def score(settings: ScoreSettings) -> Outcome:
    """Run the job.

    Raises:
        SettingsError: the settings cannot be used; nothing was scored.
        UfdError: the run failed; nothing was published, and its `run.json` says so.
    """
    storage = storage_options(settings)
    detectors = _read_detectors(settings, storage)
    with our_errors_only():
        cluster = join_cluster()
        spec = detectors.encoder.spec
        plan = plan_encoder(settings, spec, detectors.encoder.preprocess, detectors.dtype, cluster)
        if settings.dry_run:
            rehearse(settings, detectors.encoder.preprocess, detectors.encoder.input_size, storage)
            print("dry run: every setting can be used; nothing was scored")
            return Outcome.PUBLISHED
        run = RunFolder(settings.output, settings.run_id or new_run_id(), storage)
        if not run.claim(settings.model_dump(mode="json"), settings.fingerprint()):
            print(f"run {run.run_id} has been published already: {run.uri}")
            return Outcome.PUBLISHED
        print(f"run {run.run_id} → {run.uri}")
        return _Run(settings, storage, detectors, plan, cluster, run).work()


class _Run:
    """One claimed run, from its listing to `_SUCCESS`, and what `run.json` will say of it."""

    def __init__(
        self,
        settings: ScoreSettings,
        storage: StorageOptions,
        detectors: _Detectors,
        plan: EncoderPlan,
        cluster: Cluster,
        run: RunFolder,
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._detectors = detectors
        self._plan = plan
        self._run = run
        self._begun = time.monotonic()
        self._flow = make_flow(settings, plan, detectors.encoder, cluster, storage)
        self._facts: dict[str, Any] = {
            "run_id": run.run_id,
            "outcome": "running",
            "started_at": utc_now(),
            "settings": settings.model_dump(mode="json"),
            "fingerprint": settings.fingerprint(),
            "detectors": _describe(settings, detectors, plan),
            "versions": {"ufd-ray": __version__} | {name: version(name) for name in _VERSIONS},
        }

    def work(self) -> Outcome:
        """List, score, publish."""
        try:
            manifest = list_inputs(self._settings, self._run.manifest, self._storage)
        except SettingsError:
            self._run.release()
            raise
        try:
            self._score(manifest.num_images)
            files, census = publish_scores(
                self._run,
                manifest.num_images,
                manifest.further,
                self._settings.rows_per_file,
                self._settings.decider,
                self._metadata(),
            )
            return self._finish(files, census)
        except BaseException as error:
            self._fail(error)
            raise

    def _score(self, num_images: int) -> None:
        flow, settings, detectors = self._flow, self._settings, self._detectors
        bank = None
        if detectors.bank is not None:
            # Read by a worker, kept once a node in the object store; never in the driver.
            read = ray.remote(num_cpus=0.25)(read_searchable)
            bank = read.remote(detectors.bank, self._storage)
        probe = detectors.probe
        rows = flow.embed(self._run.manifest)
        rows = flow.detect(
            rows,
            bank=bank,
            probe=Probe(probe.weight, np.float32(probe.bias)) if probe else None,
            threshold=probe.threshold if probe else 0.5,
            k=settings.k,
            decider=settings.decider,
            keep_embeddings=settings.keep_embeddings,
        )
        with progress_lines(flow.tally, "detect", num_images, settings.progress_s):
            flow.append(rows, self._run.parts)

    def _finish(self, files: list[Any], census: Census) -> Outcome:
        over = census.error_rate > self._settings.max_error_rate
        outcome = Outcome.PUBLISHED_WITH_ERRORS if over else Outcome.PUBLISHED
        self._facts |= {
            "outcome": outcome.word,
            "finished_at": utc_now(),
            "counts": census.to_dict(),
            "timings": self._timings(),
            "files": [file.to_dict() for file in files],
        }
        self._run.finish(self._facts, render_run(self._facts, census.histogram))
        self._run.drop_parts()
        _say(self._run, census, self._settings.max_error_rate if over else None)
        return outcome

    def _fail(self, error: BaseException) -> None:
        self._facts |= {
            "outcome": Outcome.FAILED.word,
            "finished_at": utc_now(),
            "error": " ".join(f"{type(error).__name__}: {error}".split())[:1000],
        }
        self._run.fail(self._facts)

    def _timings(self) -> dict[str, Any]:
        counts = ray.get(self._flow.tally.read.remote())
        return {
            "whole_run_s": round(time.monotonic() - self._begun, 3),
            "worker_seconds_by_stage": {k: round(v, 3) for k, v in counts["seconds"].items()},
        }

    def _metadata(self) -> dict[str, str]:
        facts = {"run_id": self._run.run_id, **self._facts["detectors"]}
        return {
            f"ufd_ray.{name}": value if isinstance(value, str) else json.dumps(value)
            for name, value in facts.items()
        }


def _read_detectors(settings: ScoreSettings, storage: StorageOptions) -> _Detectors:
    bank = read_bank_info(settings.bank, storage) if settings.bank else None
    probe = read_probe(settings.probe, storage) if settings.probe else None
    try:
        identities = [EncoderIdentity.from_dict(x.encoder) for x in (bank, probe) if x is not None]
        require_same(
            identities[0], identities[-1], f"bank {settings.bank}", f"probe {settings.probe}"
        )
    except IdentityError as error:
        raise SettingsError(str(error)) from error
    if bank is not None and probe is not None:
        if bank.dtype != probe.dtype:
            raise SettingsError(
                f"the bank keeps embeddings in {bank.dtype}, the probe was fitted on {probe.dtype};"
                " fit the probe on this bank"
            )
    if bank is not None and settings.k > bank.num_searchable:
        raise SettingsError(
            f"--k {settings.k}: the bank has only {bank.num_searchable} images to search"
        )
    return _Detectors(bank, probe, identities[0])


def _describe(settings: ScoreSettings, detectors: _Detectors, plan: EncoderPlan) -> dict[str, Any]:
    encoder = detectors.encoder
    return {
        "encoder": encoder.to_dict(),
        "encoder_id": encoder.encoder_id,
        "weights_are_random": encoder.is_random,
        "precision": plan.precision,
        "device": plan.device,
        "dtype": detectors.dtype,
        "bank": settings.bank,
        "probe": settings.probe,
        "decided_by": settings.decider,
        "threshold": detectors.probe.threshold if detectors.probe else 0.5,
        "k": settings.k,
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
