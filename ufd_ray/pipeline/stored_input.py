"""Stored embeddings as a run's input: what `--embeddings` names, and that it is this encoder's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from ufd_ray.encoders import EncoderIdentity, EncoderSpec
from ufd_ray.errors import SettingsError
from ufd_ray.pipeline.encoding import EncoderPlan
from ufd_ray.settings import ScoreSettings
from ufd_ray.storage import (
    ManifestInfo,
    PublishedRun,
    StorageOptions,
    StoredEmbeddings,
    StoredFile,
    embedding_files,
    find_document,
    published_run,
    scored_images,
)


@dataclass(frozen=True)
class Stored:
    """What `--embeddings` names, looked at and found to be of the detectors' encoder.

    Attributes:
        places: as they were named.
        reader: of the files.
        found: for each place its files, or the published run that lies there.
        precision: in which the encoder computed; None: they do not all tell the same.
    """

    places: Sequence[str]
    reader: StoredEmbeddings
    found: Sequence[list[StoredFile] | PublishedRun]
    precision: str | None

    def tables(self) -> Iterator[Any]:
        """The images, as `StoredEmbeddings.tables` and `scored_images` yield them."""
        return chain.from_iterable(
            scored_images([place], self.reader.options)
            if isinstance(place, PublishedRun)
            else self.reader.tables(place)
            for place in self.found
        )

    def say(self, info: ManifestInfo) -> None:
        """Say what was found, once all of `tables` has been read.

        Raises:
            SettingsError: nothing.
        """
        num_listed = info.num_images + info.num_unchanged + info.num_postponed
        if not num_listed:
            raise SettingsError(f"--embeddings {' '.join(self.places)}: no rows")
        said = [f"{num_listed:,} images with stored embeddings listed"]
        if info.num_repeated:
            said.append(f"{info.num_repeated:,} named more than once")
        print(" · ".join(said))
        if ignored := self.reader.ignored_columns:
            print(
                "columns not carried through, since the scores have their own:"
                f" {', '.join(sorted(ignored))}"
            )

    def plan(self, encoder: EncoderIdentity, dtype: str) -> EncoderPlan:
        """The plan by which they were made, as far as it is known; nothing of it is ever loaded."""
        spec = EncoderSpec(encoder.arch, encoder.weights)
        precision: Any = self.precision
        return EncoderPlan(spec, encoder.preprocess, None, "cpu", precision, dtype)


def find_stored(
    settings: ScoreSettings, encoder: EncoderIdentity, storage: StorageOptions
) -> Stored | None:
    """Look at what `--embeddings` names; None: nothing is named.

    Raises:
        SettingsError: a place cannot be used, its embeddings are another encoder's, or nobody says
            whose they are.
        StorageError: the storage refuses.
    """
    if not settings.embeddings:
        return None
    given = settings.embeddings_encoder
    if given is not None and given != encoder.encoder_id:
        raise SettingsError(
            f"--embeddings-encoder {given}: bank and probe are for {_ours(encoder)}; embeddings of"
            " two encoders never meet"
        )
    reader = StoredEmbeddings(settings.embedding_column, encoder.dim, storage)
    found: list[list[StoredFile] | PublishedRun] = []
    told: list[tuple[str, str | None, str | None]] = []
    for place in settings.embeddings:
        run = _run_at(place, settings.embedding_column, storage)
        if run is not None:
            made = run.document.get("detectors", {})
            told.append((place, made.get("encoder_id"), made.get("precision")))
            found.append(run)
        else:
            files = reader.find(place)
            told += [(file.uri, file.encoder_id, file.precision) for file in files]
            found.append(files)
    for name, encoder_id, _ in told:
        _check_encoder(name, encoder_id or given, encoder)
    precisions = {precision for *_, precision in told}
    precision = precisions.pop() if len(precisions) == 1 else None
    return Stored(settings.embeddings, reader, found, precision)


def _run_at(place: str, column: str, storage: StorageOptions) -> PublishedRun | None:
    given = f"--embeddings {place}"
    # By its run.json: a folder of Parquet may well have a _SUCCESS of somebody else's.
    if place.endswith(".parquet") or find_document(place, "run.json", given, storage) is None:
        return None
    run = published_run(place, storage)
    if run is None:
        raise SettingsError(f"{given}: a run that is not published (any more)")
    if not embedding_files(run.uri, run.document):
        raise SettingsError(
            f"{given}: that run kept no embeddings (--keep-embeddings), or they were pruned"
        )
    if column != "embedding":
        raise SettingsError(
            f"{given}: a run's embeddings are not in a column {column!r} (--embedding-column);"
            " score them in a run of their own"
        )
    return run


def _check_encoder(name: str, encoder_id: str | None, encoder: EncoderIdentity) -> None:
    if encoder_id is None:
        raise SettingsError(
            f"--embeddings {name}: nothing there tells which encoder made them; bank and probe are"
            f" for {_ours(encoder)}: if it is that one, say --embeddings-encoder"
            f" {encoder.encoder_id}"
        )
    if encoder_id != encoder.encoder_id:
        raise SettingsError(
            f"--embeddings {name}: they are from encoder {encoder_id}, and bank and probe are for"
            f" {_ours(encoder)}; embeddings of two encoders never meet"
        )


def _ours(encoder: EncoderIdentity) -> str:
    return f"encoder {encoder.encoder_id} ({EncoderSpec(encoder.arch, encoder.weights)})"
