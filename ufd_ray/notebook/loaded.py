"""A detector in one process, without Ray: for notebooks, and for looking at a few images.

Images go the way that they go in a run: fetched, decoded in a process apart, encoded, detected.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ufd_ray.detectors import (
    OVERFLOWS,
    Detector,
    NeighborSearch,
    detection_columns,
    searchable,
)
from ufd_ray.encoders import Encoder, EncoderSpec, require_same
from ufd_ray.errors import ErrorCode, ImageError, ModelError, one_line
from ufd_ray.notebook.given_images import GivenImage, is_one_image, read_given
from ufd_ray.notebook.saved_detectors import SavedDetector, find_saved
from ufd_ray.pairing import Detectors
from ufd_ray.schema import DETECTION, SCORES
from ufd_ray.settings import Decider, Device, Precision
from ufd_ray.storage import StorageOptions, read_searchable

Name = str | os.PathLike[str]
"""A path or URI."""

_ABOUT_THE_IMAGE = (
    *("uri", "status", "error_code", "error_message", "content_hash", "format", "width", "height"),
)
_FIELDS = [pa.field(f.name, f.type) for f in SCORES if f.name in _ABOUT_THE_IMAGE]
_NO_EMBEDDING = ModelError(
    ErrorCode.NOT_FINITE, "the encoder's output has NaN or infinite numbers, or is all zeros"
)


def load_detector(
    uri: Name,
    *,
    bank: Name | None = None,
    probe: Name | None = None,
    weights: Name | None = None,
    k: int | None = None,
    decide_by: Decider | None = None,
    threshold: float | str | None = None,
    unsure_above: float | str | None = None,
    device: Device = "cpu",
    precision: Precision | None = None,
    batch_size: int = 64,
    s3_endpoint: str | None = None,
) -> LoadedDetector:
    """Load what scores images, in this process.

    Args:
        uri: folder or URI of a probe, of a feature bank, or of a published run (`ROOT/runs/ID`). A
            run's bank, probe, k, thresholds and precision are taken as its `run.json` says.
        bank: folder or URI of a feature bank beside the probe; of a run: where its bank lies now.
        probe: likewise, beside a bank.
        weights: file or URI with the encoder's weights, where this machine reaches no model hub.
        k: neighbours that vote; 9, or as in the run.
        decide_by: `probe`, `neighbors` or `margin`; the probe if there is one, or as in the run.
        threshold: a number, or `default`, `tuned`, `max-fpr`, `calibrated`; or as in the run.
        unsure_above: likewise; none, or as in the run.
        device: where the encoder runs.
        precision: `fp32`, `bf16` or, on GPUs, `fp16`; `fp32`, or as in the run.
        batch_size: images that the encoder takes at once.
        s3_endpoint: URL of an S3 server; without it, what the AWS environment says.

    Raises:
        SettingsError: they are not there, or do not go together; there is no such threshold; or a
            run's bank or probe is not what it was.
        StorageError: the bank cannot be read.
    """
    storage = StorageOptions(s3_endpoint=s3_endpoint)
    given: dict[str, Any] = {
        "bank": None if bank is None else os.fspath(bank),
        "probe": None if probe is None else os.fspath(probe),
        "k": k,
        "decide_by": decide_by,
        "threshold": threshold,
        "unsure_above": unsure_above,
    }
    said = {name: value for name, value in given.items() if value is not None}
    saved = find_saved(os.fspath(uri), said, storage)
    detectors = Detectors.read(saved.settings, storage)
    saved.check(detectors)
    return LoadedDetector(
        detectors,
        saved,
        storage=storage,
        device=device,
        precision=precision or saved.precision,
        weights=None if weights is None else os.fspath(weights),
        batch_size=batch_size,
    )


class LoadedDetector:
    """What `load_detector` gives. The encoder is loaded when it is first needed."""

    def __init__(
        self,
        detectors: Detectors,
        saved: SavedDetector,
        *,
        storage: StorageOptions,
        device: Device,
        precision: Precision,
        weights: str | None,
        batch_size: int,
    ) -> None:
        self._detectors = detectors
        self._precision = precision
        self._device = device
        self._weights = weights
        self._batch_size = batch_size
        self._storage = storage
        self._decode_limits, self._fetch_limits = saved.decode_limits, saved.fetch_limits
        self._loaded: Encoder | None = None
        self._bank, search, labels = None, None, None
        if detectors.bank:
            self._bank = read_searchable(detectors.bank, storage)
            found = searchable(self._bank)
            search = NeighborSearch(found.embeddings, found.labels, found.image_ids)
            labels = found.labels
        self._detector = Detector(search=search, labels=labels, **detectors.arguments())

    def __repr__(self) -> str:
        at = f"fake above {self.threshold:g}"
        return f"<{self._detectors.encoder.spec}, {self._detectors.settings.decider}, {at}>"

    @property
    def threshold(self) -> float:
        """The deciding score above which an image counts as fake."""
        return self._detectors.threshold

    @property
    def encoder(self) -> Encoder:
        """The encoder, loaded.

        Raises:
            SettingsError: its weights cannot be had on this machine.
            IdentityError: what was found are not the weights that bank and probe were made with.
        """
        if self._loaded is None:
            identity = self._detectors.encoder
            encoder = Encoder.load(
                EncoderSpec(identity.arch, identity.weights),
                preprocess=identity.preprocess,
                weights_file=self._weights,
                device=self._device,
                precision=self._precision,
                storage=self._storage,
            )
            require_same(identity, encoder.identity, "bank or probe", "the weights found here")
            self._loaded = encoder
        return self._loaded

    def predict(self, images: Iterable[Any]) -> Any:
        """Score images.

        Args:
            images: paths, URIs, bytes of files, PIL images or uint8 arrays (height, width) or
                (height, width, 3 or 4), mixed as they come; or one of them.

        Returns:
            `pa.Table`, a row an image in their order, its columns named and typed as in a run's
            scores (`.to_pandas()`). One that cannot be read is a row with `status` `error` and the
            reason, never an exception.
        """
        several: Sequence[Any] = [images] if is_one_image(images) else list(images)
        step = self._batch_size
        parts = (several[start : start + step] for start in range(0, len(several), step))
        empty = pa.schema([*_FIELDS, *DETECTION]).empty_table()
        return pa.concat_tables([empty, *map(self._predict, parts)]).combine_chunks()

    def detect(self, embeddings: npt.NDArray[np.floating[Any]]) -> Any:
        """Score embeddings of this detector's encoder, those that a run kept for instance.

        Args:
            embeddings: (n, dim) floating.

        Returns:
            `pa.Table`, a row an embedding, as `predict` has it; a run's own numbers, to the bit.

        Raises:
            ValueError: the shape does not fit.
        """
        dim = self._detectors.encoder.dim
        if embeddings.ndim != 2 or embeddings.shape[1] != dim:
            raise ValueError(f"embeddings are {embeddings.shape}; expected (n, {dim})")
        return self._table(
            [GivenImage() for _ in embeddings], embeddings, np.ones(len(embeddings), bool)
        )

    def _predict(self, images: Sequence[Any]) -> Any:
        encoder = self.encoder
        identity = self._detectors.encoder
        read = read_given(
            images,
            identity.preprocess,
            identity.input_size,
            self._storage,
            self._fetch_limits,
            self._decode_limits,
        )
        valid = np.array([image.pixels is not None for image in read], bool)
        size = encoder.input_size
        pixels = b"".join(image.pixels for image in read if image.pixels is not None)
        batch = np.frombuffer(pixels, np.uint8).reshape(-1, size, size, 3)
        embeddings = np.zeros((len(read), encoder.dim), np.float32)
        embeddings[valid] = encoder.encode(batch)
        return self._table(read, embeddings, valid)

    def _table(
        self, read: Sequence[GivenImage], embeddings: npt.NDArray[Any], valid: npt.NDArray[np.bool_]
    ) -> Any:
        with np.errstate(over="ignore"):  # float16 may overflow: seen right below
            stored = embeddings.astype(self._detectors.dtype)
        sound = valid & np.isfinite(stored).all(axis=1) & stored.any(axis=1)
        found = self._detector.detect(stored[sound])
        scored = sound.copy()
        scored[sound] = found.usable
        errors: list[ImageError | None] = [image.error for image in read]
        for row in np.flatnonzero(valid & ~scored):
            errors[row] = OVERFLOWS if sound[row] else _NO_EMBEDDING
        columns = {
            "uri": [image.uri for image in read],
            "status": np.where(scored, "scored", "error").tolist(),
            "error_code": [error and error.code.value for error in errors],
            "error_message": [error and one_line(error.message) for error in errors],
            "content_hash": [image.content_hash for image in read],
            "format": [image.decoded.format for image in read],
            "width": [image.decoded.width for image in read],
            "height": [image.decoded.height for image in read],
        }
        said = detection_columns(found, scored, self._bank)
        return pa.table(
            [
                *(pa.array(columns[f.name], f.type) for f in _FIELDS),
                *(column for _, column in said),
            ],
            schema=pa.schema([*_FIELDS, *DETECTION]),
        )
