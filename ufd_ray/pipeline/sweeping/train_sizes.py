"""The sweep over the size of the training set: no image is encoded, the bank is read once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import torch

from ufd_ray.detectors import (
    NestedSearch,
    Probe,
    Searchable,
    balanced_order,
    fit_logistic,
    margin,
    search_bytes,
    searchable,
)
from ufd_ray.errors import SettingsError
from ufd_ray.pipeline.cluster import Cluster, this_node
from ufd_ray.pipeline.searching.budget import find_budget
from ufd_ray.pipeline.sweeping.scoring import (
    Embedded,
    Scores,
    join_scores,
    mean_margins_of,
    votes_of,
)
from ufd_ray.settings import EvaluateSettings
from ufd_ray.storage import BankInfo, StorageOptions, read_searchable

L2 = 0.1
"""Of all probes that sweeps fit: that of `fit_probe` where nobody says otherwise."""
_CELLS = ("image_id", "label", "embedding")


def check_sizes(settings: EvaluateSettings, bank: BankInfo, cluster: Cluster) -> None:
    """See that the largest size can be had, and that one process has room for it.

    Subsets are searched in one process, since what is swept over is small as a rule; the whole
    bank, which may be larger than any machine, is what the evaluation itself searches.

    Raises:
        SettingsError: it cannot, or has not.
    """
    if not settings.sweep_train_size:
        return
    largest = settings.sweep_train_size[-1]
    fewest = bank.fewest_searchable
    most = min(2 * fewest, bank.num_searchable)
    if largest > most:
        raise SettingsError(
            f"--sweep-train-size {largest}: half of them are real and half fake, and the bank has"
            f" {bank.num_searchable:,} images to search, and {fewest:,} of one class; give at most"
            f" {most - most % 2}"
        )
    if not cluster.num_nodes:
        return  # they are all still to come
    budget = find_budget(settings, cluster, None)
    size = search_bytes(largest, bank.dim, bank.dtype)
    if size > budget.num_bytes:
        raise SettingsError(
            f"--sweep-train-size {largest}: {budget.say(size)}; give smaller ones, or raise"
            " --search-memory-mb"
        )


def score_sizes(
    bank: BankInfo,
    sizes: Sequence[int],
    ks: Sequence[int],
    seed: int,
    embedded: Embedded,
    storage: StorageOptions,
) -> dict[int, Scores]:
    """What neighbours in subsets, and probes fitted on them, say of the test images.

    Args:
        bank: what `bank.json` says.
        sizes: rising, even.
        ks: how many neighbours vote, and of how many of each class the mean distances are compared;
            those of more than a subset has are left out.
        seed: draws the subsets.
        embedded: the test images, at least one of which has an embedding.
        storage: how the bank is reached.

    Raises:
        SettingsError: the bank has too few images of a class.
        StorageError: a file cannot be read, or is not the one that `bank.json` names.
    """
    torch.set_num_threads(this_node()[0])
    chosen = read_subset(bank, sizes[-1], seed, storage)
    search = NestedSearch(chosen.embeddings, chosen.labels, chosen.image_ids, sizes)
    probes = fit_probes(chosen, sizes)
    found: dict[int, list[Scores]] = {size: [] for size in sizes}
    for _, embeddings in embedded.batches():
        by_size = search.search(embeddings, max(ks), per_class=max(ks))
        for size, near in zip(sizes, by_size, strict=True):
            scores: Scores = {
                "probe_score": probes[size].scores(embeddings),
                "nn_margin": margin(near),
            }
            scores |= votes_of(near.index, chosen.labels, ks)
            scores |= mean_margins_of(near, ks, size // 2)
            found[size].append(scores)
    return {size: join_scores(batches) for size, batches in found.items()}


def fit_probes(chosen: Searchable, sizes: Sequence[int]) -> dict[int, Probe]:
    """A probe on the first so many images, for each size."""
    return {
        size: fit_logistic(chosen.embeddings[:size], chosen.labels[:size], c=L2).probe
        for size in sizes
    }


def read_subset(bank: BankInfo, size: int, seed: int, storage: StorageOptions) -> Searchable:
    """The subset of so many images, in the order of which smaller ones are the beginning.

    Raises:
        SettingsError: the bank has too few images of a class.
        StorageError: a file cannot be read, or is not the one that `bank.json` names.
    """
    light = pa.concat_tables(_tables(bank, storage, _CELLS[:2]))
    order = balanced_order(np.asarray(light["label"]), light["image_id"].to_pylist(), seed)
    if len(order) < size:
        raise SettingsError(
            f"--sweep-train-size {size}: the bank has only {len(order) // 2:,} images to search of"
            f" one class; give at most {len(order)}"
        )
    order = order[:size]
    rows = np.sort(order)
    kept, begun = [], 0
    for table in _tables(bank, storage, _CELLS):
        inside = rows[(rows >= begun) & (rows < begun + len(table))] - begun
        begun += len(table)
        kept.append(table.take(pa.array(inside)))
        del table  # before the next one is read
    # From the bank's order into that of the draw.
    places = np.searchsorted(rows, order)
    return searchable(pa.concat_tables(kept).combine_chunks().take(pa.array(places)))


def _tables(bank: BankInfo, storage: StorageOptions, columns: Sequence[str]) -> Iterator[pa.Table]:
    for file in bank.shards:
        yield read_searchable(replace(bank, shards=[file]), storage, columns)
