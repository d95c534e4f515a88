"""One run under its lease: begun or taken up again, scored, published."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from ufd_ray.encoders import DeviceChoice
from ufd_ray.errors import StorageError
from ufd_ray.outcome import Outcome
from ufd_ray.pairing import Detectors
from ufd_ray.pipeline.checkpoint import checkpointed, rows_done
from ufd_ray.pipeline.cluster import Cluster
from ufd_ray.pipeline.detecting import for_stage
from ufd_ray.pipeline.encoding import EncoderPlan
from ufd_ray.pipeline.flow import make_flow
from ufd_ray.pipeline.inputs import rehearse
from ufd_ray.pipeline.leasing import interrupt
from ufd_ray.pipeline.progress import progress_lines, read_tally, start_tally
from ufd_ray.pipeline.publishing import Census, publish_scores
from ufd_ray.pipeline.ray_errors import our_errors_only, work_begun
from ufd_ray.pipeline.recalling import find_kept
from ufd_ray.pipeline.record import RunRecord
from ufd_ray.pipeline.reporting.findings import find
from ufd_ray.pipeline.reporting.survey import Survey
from ufd_ray.pipeline.searching import OpenSearch, open_search, plan_on
from ufd_ray.pipeline.selecting import count_images, find_ledger, list_images
from ufd_ray.pipeline.stored_input import Stored
from ufd_ray.pipeline.waiting import find_place
from ufd_ray.report import Findings, render_run
from ufd_ray.settings import ScoreSettings
from ufd_ray.storage import (
    ROWS_AT_ONCE,
    Lease,
    PublishedFile,
    RunFolder,
    check_files,
    check_writable,
)

_LAST_LOOK_S = 60.0
"""Longest wait for the counts of a run that is over: there is nothing else left to wait for."""


class Run:
    """One run.

    Args:
        settings: the job's.
        detectors: what decides.
        plan: which encoder, in which precision.
        folder: where it lies, and how storage is reached.
        stored: what `--embeddings` names; None: nothing.
        search_on: on what the bank is searched; None: there is none.
        planned: the plan's JSON; None: there is none.
    """

    def __init__(
        self,
        settings: ScoreSettings,
        detectors: Detectors,
        plan: EncoderPlan,
        folder: RunFolder,
        stored: Stored | None = None,
        search_on: DeviceChoice | None = None,
        planned: dict[str, Any] | None = None,
    ) -> None:
        self._settings = settings
        self._storage = folder.options
        self._detectors = detectors
        self._plan = plan
        self._folder = folder
        self._stored = stored
        self._search_on = search_on
        self._planned = planned
        self._record = RunRecord(folder.run_id, settings, detectors, plan)

    def rehearse(self) -> Outcome:
        """The dry run: all that can be checked without the encoder, and nothing left behind."""
        check_writable(self._folder.uri, self._storage)
        if self._settings.input:
            encoder = self._detectors.encoder
            rehearse(
                self._settings,
                encoder.preprocess,
                encoder.input_size,
                self._storage,
                ledger=find_ledger(self._settings, self._storage, self._record.detector_id),
            )
        else:
            count_images(self._settings, self._stored, self._storage, self._record.detector_id)
        print("dry run: settings, input and output can be used; nothing was scored")
        return Outcome.PUBLISHED

    def work(self, cluster: Cluster) -> Outcome:
        """List, score and publish: as much of it as has not been done yet.

        Raises:
            SettingsError: the name belongs to another run, or the inputs cannot be used.
            LeaseError: another process is at work on it, or has taken it over.
            UfdError: the run failed.
        """
        check_writable(self._folder.uri, self._storage)
        with Lease(
            self._folder.uri, self._storage, self._settings.lease_s, lost=interrupt
        ) as lease:
            earlier = self._folder.earlier(self._record.fingerprint) or {}
            if Outcome.is_published(earlier.get("outcome")):
                lease.end()
                outcome = self._seal(earlier)
            else:
                self._begin(lease, earlier)
                outcome = self._score_and_publish(cluster, lease)
                # Fails no run: it is published, and whoever comes next can do this step.
                lease.end()
                self._folder.seal()
                print(f"published: {self._folder.uri}/scores/")
            lease.delete()
            return outcome

    def _seal(self, earlier: dict[str, Any]) -> Outcome:
        """Finish what another process has published, but for its last step perhaps."""
        outcome = self._folder.published(self._record.fingerprint)
        if outcome is None:
            files = [PublishedFile(**file) for file in earlier["files"]]
            num_images = earlier["manifest"]["num_images"]
            check_files(self._folder.uri, files, num_images, self._storage)
            self._folder.seal()
            outcome = Outcome.of(earlier["outcome"])
        return say_published(self._folder, outcome)

    def _begin(self, lease: Lease, earlier: dict[str, Any]) -> None:
        """Take the run up where it stands, or list its images."""
        if "manifest" in earlier:
            self._record.take_up(earlier)
            print(f"run {self._folder.run_id} goes on where it stopped: {self._folder.uri}")
            return
        self._folder.begin(self._record.content)
        print(f"run {self._folder.run_id} → {self._folder.uri}")
        try:
            listed = list_images(
                self._settings,
                self._stored,
                self._folder.manifest,
                self._storage,
                self._record.detector_id,
            )
        except BaseException:
            lease.check()  # what lies there by now may be a rival's
            self._folder.release()
            lease.delete()
            raise
        self._record.listed(listed)
        lease.check()
        self._folder.record(self._record.content)

    def _score_and_publish(self, cluster: Cluster, lease: Lease) -> Outcome:
        try:
            with work_begun():
                tally = start_tally()
                self._score(cluster, tally)
                lease.check()
                survey = Survey(self._record.content["detectors"])
                files, census = publish_scores(
                    self._folder,
                    self._record.num_images,
                    self._settings.rows_per_file,
                    self._settings.decider,
                    self._record.metadata,
                    survey.add,
                )
                found = find(self._settings, self._folder, self._record, survey)
                lease.check()
                return self._finish(tally, files, census, found, cluster)
        except BaseException as error:
            self._fail(lease, error)
            raise

    def _score(self, cluster: Cluster, tally: Any) -> None:
        done = rows_done(self._folder, self._record.num_images)
        self._record.content["rows_reused"] = int(done.sum())
        if self._planned is not None:
            self._record.planned(self._planned, cluster.num_cpus, cluster.num_gpus)
        if done.any():
            print(f"{done.sum():,} of {self._record.num_images:,} images were done before")
        if done.all():
            return
        missing = int((~done).sum())
        left_out = done if done.any() else None
        lines = progress_lines(tally, "detect", missing, self._settings.progress_s)
        encoder = self._detectors.encoder
        with our_errors_only():
            on = self._search_on.device if self._search_on else "cpu"
            placement = find_place(self._settings, self._plan.device, cluster, on)
        recalls = self._settings.input_kind != "images"
        print(f"detectors: {placement.detectors}" if recalls else placement)
        flow = make_flow(self._settings, self._plan, encoder, placement, self._storage, tally)
        searching = self._open_search(cluster)
        with our_errors_only(), lines, checkpointed(self._folder), searching as search:
            if recalls:
                rows = flow.recall(self._folder.manifest, self._settings.embedding_column, left_out)
            else:
                kept = find_kept(self._settings, encoder, self._plan, self._storage)
                rows = flow.read(self._folder.manifest, left_out)
                rows = flow.embed(rows, kept)
            keep = self._settings.keep_embeddings
            # Recalled rows come in blocks that no cache holds.
            at_once = ROWS_AT_ONCE if recalls else None
            rows = flow.detect(rows, for_stage(self._detectors, keep, search), at_once)
            flow.append(rows, self._folder.parts)

    @contextmanager
    def _open_search(self, cluster: Cluster) -> Iterator[OpenSearch | None]:
        bank, on = self._detectors.bank, self._search_on
        if bank is None or on is None:
            yield None
            return
        plan = plan_on(on, self._settings, bank, cluster, self._settings.wait_for_gpus_s)
        self._record.searches(plan.to_dict())
        with closing(open_search(plan, bank, self._storage)) as search:
            yield search

    def _finish(
        self,
        tally: Any,
        files: list[PublishedFile],
        census: Census,
        found: Findings,
        cluster: Cluster,
    ) -> Outcome:
        over = census.error_rate > self._settings.max_error_rate
        outcome = Outcome.PUBLISHED_WITH_ERRORS if over else Outcome.PUBLISHED
        shared = sum(cluster.cpus_by_node) if self._plan.device == "cpu" else None
        self._record.publish(outcome, census, files, read_tally(tally, _LAST_LOOK_S), shared)
        content = self._record.content
        self._folder.finish(content, render_run(content, census.histogram, found))
        _say(census, self._settings.max_error_rate if over else None)
        return outcome

    def _fail(self, lease: Lease, error: BaseException) -> None:
        self._record.fail(error)
        try:
            lease.check()  # never over the record of a rival, who may be what this error is about
            self._folder.record(self._record.content)
        except StorageError as second:
            # What went wrong first is what is said; that this failed as well comes after it.
            error.add_note(f"and run.json could not be brought up to date: {second}")


def say_published(run: RunFolder, outcome: Outcome) -> Outcome:
    """Say that there is nothing left to do."""
    print(f"run {run.run_id} has been published already: {run.uri}")
    return outcome


def _say(census: Census, exceeded: float | None) -> None:
    counts = ", ".join(f"{n:,} {word}" for word, n in sorted(census.verdict.items()))
    errors = ", ".join(f"{n:,} {code}" for code, n in sorted(census.error_code.items()))
    print(f"{census.status['scored']:,} of {census.num_images:,} images scored: {counts or 'none'}")
    if errors:
        print(f"{census.status['error']:,} images failed: {errors}")
    if exceeded is not None:
        print(f"that is more than --max-error-rate {exceeded:g} allows: exit status 3")
