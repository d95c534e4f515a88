"""What was measured on a sample."""

from __future__ import annotations

from dataclasses import dataclass

_ENOUGH_LISTED = 10_000
"""Images in whose listing what it takes to begin is no more than a small part."""


@dataclass(frozen=True)
class StageCost:
    """What one stage takes of one image.

    Attributes:
        core_s: core-seconds: what it keeps CPUs busy for, with all of its threads and processes.
        wall_s: seconds by the clock while nothing else ran, in batches as a run has them.
    """

    core_s: float
    wall_s: float


@dataclass(frozen=True)
class Measured:
    """What was measured here.

    Attributes:
        num_images: of the sample.
        num_failed: those of them that could not be read or scored.
        stages: by name, in the order of the flow: `fetch`, `decode`, `encode` (on CPUs),
            `detect` (where there are detectors), `write`.
        num_listed: images that the inputs name.
        listing_s: seconds in which they were listed.
        read_bytes: mean size of an image's file.
        written_bytes: of a row, as Parquet.
        cpus: CPUs here.
        gpu_images_per_s: images a second that a GPU here encodes; None: it was not measured.
        import_s: core-seconds in which a worker imports what it runs; None: not measured.
        model_s: seconds in which the encoder is loaded; None: it was not loaded.
        bank_s: seconds in which the bank is read and made ready; None: there is none.
    """

    num_images: int
    num_failed: int
    stages: dict[str, StageCost]
    num_listed: int
    listing_s: float
    read_bytes: float
    written_bytes: float
    cpus: int
    gpu_images_per_s: float | None = None
    import_s: float | None = None
    model_s: float | None = None
    bank_s: float | None = None

    @property
    def listing_each_s(self) -> float | None:
        """Seconds that a further image takes to be listed; None: too few were to tell."""
        enough = self.num_listed >= _ENOUGH_LISTED
        return self.listing_s / self.num_listed if enough else None
