"""What a probe or a bank's neighbours say of the labelled images of a bank, a shard at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ufd_ray.detectors import ONE_AND_THE_SAME, NeighborSearch, Probe, margin, searchable
from ufd_ray.errors import SettingsError
from ufd_ray.pipeline.search_device import gpu_errors
from ufd_ray.settings import Device
from ufd_ray.storage import (
    BankInfo,
    StorageOptions,
    embedding_matrix,
    read_searchable,
    read_shards,
)


@dataclass(frozen=True, eq=False)
class LabelledValues:
    """Numbers of labelled images.

    Attributes:
        values: (n,) float32, logits or margins.
        labels: (n,) int8, 0 real, 1 fake.
        num_left_out: images of which none was asked for, since they are among those searched.
    """

    values: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int8]
    num_left_out: int = 0


def logits_of(
    probe: Probe,
    on: BankInfo,
    split: str,
    storage: StorageOptions,
    *,
    without: frozenset[str] = frozenset(),
) -> LabelledValues:
    """A probe's logits of a bank's images.

    Args:
        probe: the probe.
        on: the bank.
        split: `val`, or `all`.
        storage: how it is reached.
        without: ids of images that are left out, since the probe was fitted on them.

    Raises:
        SettingsError: the probe has no finite number for one of them.
        StorageError: a shard cannot be read.
    """
    values, labels, num_left_out = [np.empty(0, np.float32)], [np.empty(0, np.int8)], 0
    for every in _images(on, split, storage):
        fresh = [image_id not in without for image_id in every["image_id"].to_pylist()]
        rows = every.filter(pa.array(fresh, pa.bool_()))
        num_left_out += len(every) - len(rows)
        logits = probe.weigh(embedding_matrix(rows["embedding"]))
        if not np.isfinite(logits).all():
            bad = rows["image_id"][int(np.isfinite(logits).argmin())]
            raise SettingsError(f"--on {on.uri}: the probe has no finite logit for image {bad}")
        values.append(logits)
        labels.append(np.asarray(rows["label"], np.int8))
    return LabelledValues(np.concatenate(values), np.concatenate(labels), num_left_out)


def image_ids(bank: BankInfo, split: str, storage: StorageOptions) -> frozenset[str]:
    """Ids of the images of one split of a bank.

    Raises:
        StorageError: a shard cannot be read.
    """
    found: set[str] = set()
    for rows in read_shards(bank, storage, ["image_id", "split"]):
        wanted = np.asarray(rows["split"]) == split
        found.update(rows["image_id"].filter(pa.array(wanted)).to_pylist())
    return frozenset(found)


def margins_of(
    bank: BankInfo, on: BankInfo, split: str, storage: StorageOptions, device: Device = "cpu"
) -> LabelledValues:
    """The neighbours' margins of another bank's images, or of a bank's own held-out ones.

    An image that is itself among those that are searched, by its id or by its embedding (up to
    the rounding of fp32), would be its own neighbour: it is left out.

    Args:
        bank: where neighbours are searched; it is held in memory.
        on: whose images are judged.
        split: `val`, or `all`.
        storage: how both are reached.
        device: on which they are searched.

    Raises:
        SettingsError: the bank has no images of one class to search.
        StorageError: a shard cannot be read or used.
        ClusterError: the device has too little memory.
    """
    found = searchable(read_searchable(bank, storage))
    if len(np.unique(found.labels)) < 2:
        raise SettingsError(f"--bank {bank.uri}: it has images of one class to search; both needed")
    search = NeighborSearch(found.embeddings, found.labels, found.image_ids, device=device)
    ids, vectors = set(found.image_ids.tolist()), _digests(found.embeddings)
    values, labels, num_left_out = [np.empty(0, np.float32)], [np.empty(0, np.int8)], 0
    for rows in _images(on, split, storage):
        embeddings = embedding_matrix(rows["embedding"])
        names = rows["image_id"].to_pylist()
        fresh = np.array(
            [
                name not in ids and _digest(vector) not in vectors
                for name, vector in zip(names, embeddings, strict=True)
            ],
            bool,
        )
        with gpu_errors():
            near = search.search(embeddings[fresh], 1)
        # Nor the same image under another name, encoded in other company or on another CPU.
        distinct = near.similarity[:, 0] < ONE_AND_THE_SAME
        num_left_out += len(names) - int(distinct.sum())
        values.append(margin(near)[distinct])
        labels.append(np.asarray(rows["label"], np.int8)[fresh][distinct])
    return LabelledValues(np.concatenate(values), np.concatenate(labels), num_left_out)


def _images(on: BankInfo, split: str, storage: StorageOptions) -> Iterator[Any]:
    columns = ["image_id", "label", "split", "view", "embedding"]
    for rows in read_shards(on, storage, columns):
        wanted = np.asarray(rows["view"]) == 0
        if split != "all":
            wanted &= np.asarray(rows["split"]) == split
        yield rows.filter(pa.array(wanted))


def _digests(embeddings: npt.NDArray[Any]) -> set[bytes]:
    return {_digest(vector) for vector in embeddings}


def _digest(vector: npt.NDArray[Any]) -> bytes:
    return hashlib.blake2b(vector.tobytes(), digest_size=16).digest()
