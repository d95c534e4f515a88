"""Whatever the number of workers, and of their flows: each epoch's pictures are wanted once."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ufd_ray.baselines import TrainingRecipe
from ufd_ray.pipeline.training import course
from ufd_ray.pipeline.training.lookups import Lookup
from ufd_ray.pipeline.training.order import epoch_batches
from ufd_ray.pipeline.training.pictures import TRAIN, VAL

SEED, NUM_EPOCHS = 5, 7
# Of 29 images 22 train, 8 of them fakes, and 7 validate.
SPLITS = np.array([VAL if place % 4 == 1 else TRAIN for place in range(29)])
LABELS = np.array([int(place % 3 == 0) for place in range(29)], np.int8)
TRAINING, VALIDATING = (np.flatnonzero(split == SPLITS) for split in (TRAIN, VAL))


class Flow:
    """A `Stream` that reads nothing."""

    def __init__(self, images: Any, wanted: Sequence[Lookup], reading: Any) -> None:
        del images, reading
        self.wanted = list(wanted)


def wanted_by(recipe: TrainingRecipe, rank: int, num_workers: int) -> tuple[Any, list[Flow]]:
    """A worker's course, and the flow that each epoch's pictures come from."""
    table: Any = pa.table({"label": LABELS, "split": SPLITS})
    reading: Any = None
    own = course.Course(table, reading, recipe, SEED, rank, num_workers)
    flows: list[Any] = [own.stream(epoch) for epoch in range(1, NUM_EPOCHS + 1)]
    return own, flows


@pytest.mark.parametrize("rows_of_a_flow", [1, 40, 10_000])
@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("num_workers", [1, 2, 3])
def test_all_workers_together_want_each_batch_once(
    monkeypatch: pytest.MonkeyPatch, num_workers: int, balanced: bool, rows_of_a_flow: int
) -> None:
    monkeypatch.setattr(course, "Stream", Flow)
    monkeypatch.setattr(course, "ray", SimpleNamespace(get=lambda table: table))
    monkeypatch.setattr(course, "_ROWS_OF_A_STREAM", rows_of_a_flow)
    recipe = TrainingRecipe("adam", 0.1, 6, max_epochs=NUM_EPOCHS, balanced=balanced)
    workers = [wanted_by(recipe, rank, num_workers) for rank in range(num_workers)]
    pictures = []
    for _, flows in workers:
        in_turn = list(dict.fromkeys(flows))
        num = {1: NUM_EPOCHS, 10_000: 1}.get(rows_of_a_flow)
        assert len(in_turn) == num or (num is None and 1 < len(in_turn) < NUM_EPOCHS)
        lookups = [lookup for flow in in_turn for lookup in flow.wanted]
        assert [lookup.purpose for lookup in lookups] == [TRAIN, VAL] * NUM_EPOCHS
        assert [lookup.number for lookup in lookups[::2]] == list(range(1, NUM_EPOCHS + 1))
        assert {lookup.number for lookup in lookups[1::2]} == {1}
        pictures.append([lookup.places.tolist() for lookup in lookups])
    labels = LABELS[TRAINING]
    for epoch in range(1, NUM_EPOCHS + 1):
        of_workers = [iter(own[2 * epoch - 2]) for own in pictures]
        lengths = [[len(batch) for batch in own.batches(epoch)] for own, _ in workers]
        batches = epoch_batches(labels, 6, seed=SEED, epoch=epoch, balanced=balanced)
        for number, batch in enumerate(batches):
            taken = [
                next(mine)
                for mine, of_batches in zip(of_workers, lengths, strict=True)
                for _ in range(of_batches[number])
            ]
            assert sorted(taken) == sorted(TRAINING[batch])
        assert [list(mine) for mine in of_workers] == [[]] * num_workers
        validating = [place for own in pictures for place in own[2 * epoch - 1]]
        assert sorted(validating) == VALIDATING.tolist()
