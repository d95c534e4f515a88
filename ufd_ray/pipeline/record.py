"""What `run.json` says of a run, from its first word to its last."""

from __future__ import annotations

import json
import time
from importlib.metadata import version
from typing import Any

from ufd_ray import __version__
from ufd_ray.outcome import Outcome
from ufd_ray.pairing import Detectors
from ufd_ray.pipeline.encoding import EncoderPlan
from ufd_ray.pipeline.publishing import Census
from ufd_ray.redaction import redact
from ufd_ray.report import Pace, efficiency
from ufd_ray.settings import ScoreSettings
from ufd_ray.sizing import compare
from ufd_ray.storage import ManifestInfo, PublishedFile, utc_now

_VERSIONS = ("torch", "torchvision", "timm", "open_clip_torch", "pillow", "numpy")
"""Of what a score depends on; with another one, a run is not taken up again."""


class RunRecord:
    """The record of one run.

    Args:
        run_id: its name.
        settings: the job's.
        detectors: what decides.
        plan: which encoder, in which precision.

    Attributes:
        fingerprint: all that decides the rows; a run is gone on with only under the same one.
        content: as JSON.
    """

    def __init__(
        self, run_id: str, settings: ScoreSettings, detectors: Detectors, plan: EncoderPlan
    ) -> None:
        self._begun = time.monotonic()
        self._plan: tuple[dict[str, Any], int, int] | None = None
        versions = {"ufd-ray": __version__} | {name: version(name) for name in _VERSIONS}
        self.fingerprint = {
            **settings.fingerprint(),
            **detectors.contents(),
            "precision_used": plan.precision,
            **{f"version of {name}": number for name, number in versions.items()},
        }
        self.content: dict[str, Any] = {
            "run_id": run_id,
            "outcome": "running",
            "started_at": utc_now(),
            "num_attempts": 1,
            "rows_reused": 0,
            "input_kind": settings.input_kind,
            "settings": settings.model_dump(mode="json"),
            "fingerprint": self.fingerprint,
            "detector_id": detectors.detector_id(plan.precision),
            "detectors": detectors.describe(plan.precision, plan.device),
            "versions": {**versions, "ray": version("ray")},
        }

    @property
    def detector_id(self) -> str:
        """A short hash of all that a verdict depends on, but the image."""
        return str(self.content["detector_id"])

    @property
    def num_images(self) -> int:
        """Rows of the run's manifest, once it has been listed."""
        return int(self.content["manifest"]["num_images"])

    @property
    def metadata(self) -> dict[str, str]:
        """What is the same for all rows, for the metadata of their files."""
        ids = {name: self.content[name] for name in ("run_id", "detector_id")}
        facts = ids | self.content["detectors"]
        return {
            f"ufd_ray.{name}": value if isinstance(value, str) else json.dumps(value)
            for name, value in facts.items()
        }

    def take_up(self, earlier: dict[str, Any]) -> None:
        """Go on from the record of an earlier attempt."""
        self.content |= {name: earlier[name] for name in ("started_at", "manifest")}
        self.content["num_attempts"] += earlier["num_attempts"]

    def listed(self, manifest: ManifestInfo) -> None:
        """The images are known."""
        self.content["manifest"] = {k: v for k, v in vars(manifest).items() if k != "further"}

    def searches(self, plan: dict[str, Any]) -> None:
        """It is settled where the bank is searched."""
        self.content["search"] = plan

    def planned(self, plan: dict[str, Any], num_cpus: int, num_gpus: int) -> None:
        """There is a plan, for a cluster that has so many CPUs and GPUs in truth."""
        self._plan = (plan, num_cpus, num_gpus)

    def publish(
        self,
        outcome: Outcome,
        census: Census,
        files: list[PublishedFile],
        tally: dict[str, Any] | None,
        shared_cores: float | None,
    ) -> None:
        """The rows are published.

        Args:
            outcome: how.
            census: what became of the images.
            files: that hold the rows.
            tally: what the stages reported; None: it is lost.
            shared_cores: on which encoders and decoders both compute; None: they share none.
        """
        reported = tally or {"paces": {}, "weights_files": [], "search": {}, "at": 0.0}
        whole_run_s = time.monotonic() - self._begun
        paces: dict[str, Pace] = reported["paces"]
        if "search" in self.content:
            self.content["search"] |= reported["search"]
        self.content |= self._estimate(census.num_images, whole_run_s)
        self.content |= {
            "outcome": outcome.word,
            "finished_at": utc_now(),
            "counts": census.to_dict(),
            "weights_files": reported["weights_files"],  # none where nothing was encoded
            "timings": {
                "whole_run_s": round(whole_run_s, 3),
                "worker_seconds_by_stage": {s: round(p.seconds, 3) for s, p in paces.items()},
                "images_by_stage": {s: p.num_images for s, p in paces.items()},
            },
            "efficiency": efficiency(paces, reported["at"], whole_run_s, shared_cores),
            "files": [file.to_dict() for file in files],
        }

    def _estimate(self, num_images: int, whole_run_s: float) -> dict[str, Any]:
        if self._plan is None:
            return {}
        plan, num_cpus, num_gpus = self._plan
        name = self.content["settings"]["plan"]
        scored_now = num_images - self.content["rows_reused"]
        return {"estimate": compare(plan, name, scored_now, whole_run_s, num_cpus, num_gpus)}

    def fail(self, error: BaseException) -> None:
        """The attempt has failed."""
        self.content |= {
            "outcome": Outcome.FAILED.word,
            "finished_at": utc_now(),
            "error": redact(" ".join(f"{type(error).__name__}: {error}".split()))[:1000],
        }
