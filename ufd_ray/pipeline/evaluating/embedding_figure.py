"""Embeddings of test images, and of the bank's → a map (the paper's Fig. 2 and 7)."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ufd_ray.evaluation import embedding_map
from ufd_ray.pipeline.evaluating.sampled import MOST_OF_A_CLASS
from ufd_ray.report.figures import Drawing, scatter_figure
from ufd_ray.schema import FAKE, REAL
from ufd_ray.storage import BankInfo, StorageOptions, embedding_matrix, read_shards

_MOST_ROWS = 1_000_000
"""Rows of a bank that are read for its few: all of the paper's, and of a larger one some shards."""

Labelled = tuple[npt.NDArray[np.floating[Any]], npt.NDArray[np.int8]]
"""Embeddings (n, dim), labels (n,)."""


def draw_map(
    unseen: Labelled, seen: Labelled | None, title: str, which: str, seed: int
) -> tuple[Drawing, dict[str, Any]]:
    """Draw embeddings as points, by label, and by whether the detector knows such images.

    Args:
        unseen: of images that it does not know.
        seen: of those that it does; None: there are none.
        title: above the figure.
        which: images these are, in a sentence or two.
        seed: of t-SNE.

    Returns:
        The figure, and how it came about, for `evaluation.json`.

    Raises:
        ValueError: there are too few embeddings, or they are all the same.
    """
    both = [(False, unseen), *([(True, seen)] if seen else [])]
    points, settings = embedding_map(
        np.concatenate([embeddings.astype(np.float32) for _, (embeddings, _) in both]), seed
    )
    labels = np.concatenate([of for _, (_, of) in both])
    is_seen = np.repeat([one for one, _ in both], [len(of) for _, (_, of) in both])
    groups = {}
    for one, label in ((True, REAL), (True, FAKE), (False, REAL), (False, FAKE)):
        own = points[(is_seen == one) & (labels == label)]
        if len(own):
            groups[label, one] = own
    about = (
        f"t-SNE of directions: perplexity {settings.perplexity:g}, {settings.components} principal"
        f" components, {settings.steps:,} steps, seed {settings.seed}. {which}"
    )
    drawing = scatter_figure(groups, title, about)
    counts = {
        f"{'seen' if one else 'unseen'}_{'real' if label == REAL else 'fake'}": len(own)
        for (label, one), own in groups.items()
    }
    return drawing, {**asdict(settings), "images": counts}


def seen_embeddings(bank: BankInfo, seed: int, storage: StorageOptions) -> Labelled:
    """Up to 500 of each class of what neighbours are searched in, drawn as its shards are read.

    Of a bank of more than a million rows, shards are drawn until they have as many. In memory are
    one shard, and what is drawn.

    Raises:
        StorageError: a shard is gone or damaged.
    """
    random = np.random.default_rng(seed)
    shards, num_rows = [], 0
    for place in random.permutation(len(bank.shards)).tolist():
        if num_rows < _MOST_ROWS:
            shards.append(bank.shards[place])
            num_rows += int(bank.shards[place]["num_rows"])
    drawn: dict[int, Any] = {}
    lots: dict[int, npt.NDArray[np.float64]] = {REAL: np.empty(0), FAKE: np.empty(0)}
    for rows in read_shards(
        replace(bank, shards=shards), storage, ["label", "split", "view", "embedding"]
    ):
        searched = (np.asarray(rows["view"]) == 0) & (np.asarray(rows["split"]) == "train")
        for label in (REAL, FAKE):
            own = rows.filter(pa.array(searched & (np.asarray(rows["label"]) == label)))
            drawn[label] = pa.concat_tables([*([drawn[label]] if label in drawn else []), own])
            lots[label] = np.concatenate([lots[label], random.random(len(own))])
            lowest = np.argsort(lots[label], kind="stable")[:MOST_OF_A_CLASS]
            drawn[label] = drawn[label].take(pa.array(lowest))
            lots[label] = lots[label][lowest]
    found = pa.concat_tables(drawn.values())
    return embedding_matrix(found["embedding"]), np.asarray(found["label"], np.int8)
