from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ufd_ray.pipeline.training.order import epoch_batches, share_of

LABELS = st.lists(st.integers(0, 1), min_size=2, max_size=60).map(np.array)
SIZES = st.integers(1, 9).map(lambda half: 2 * half)


@given(LABELS, SIZES, st.integers(0, 9), st.integers(1, 99))
def test_an_epoch_takes_every_image_once(
    labels: np.ndarray[tuple[int], np.dtype[np.int64]], size: int, seed: int, epoch: int
) -> None:
    batches = epoch_batches(labels, size, seed=seed, epoch=epoch, balanced=False)
    assert sorted(np.concatenate(batches)) == list(range(len(labels)))
    assert [len(one) for one in batches[:-1]] == [size] * (len(batches) - 1)
    again = epoch_batches(labels, size, seed=seed, epoch=epoch, balanced=False)
    assert all(map(np.array_equal, batches, again))


def test_epochs_and_seeds_differ() -> None:
    labels = np.zeros(50, np.int64)
    orders = {
        tuple(epoch_batches(labels, 50, seed=seed, epoch=epoch, balanced=False)[0])
        for seed in range(3)
        for epoch in range(1, 4)
    }
    assert len(orders) == 9


@given(LABELS, SIZES, st.integers(1, 5))
def test_balanced_batches_are_half_real_and_half_fake(
    labels: np.ndarray[tuple[int], np.dtype[np.int64]], size: int, epoch: int
) -> None:
    batches = epoch_batches(labels, size, seed=0, epoch=epoch, balanced=True)
    taken = np.concatenate([np.empty(0, np.int64), *batches])
    fewer = min(np.count_nonzero(labels == label) for label in (0, 1))
    assert len(set(taken.tolist())) == len(taken) == 2 * fewer
    for batch in batches:
        half = len(batch) // 2
        assert labels[batch].tolist() == [0] * half + [1] * half
        for world_size in (1, 2, 3):
            shares = [share_of(batch, rank, world_size) for rank in range(world_size)]
            assert sorted(np.concatenate(shares)) == sorted(batch)
            for share in shares:
                num_fake = int(labels[share].sum())
                assert abs(len(share) - 2 * num_fake) <= 2


def test_of_the_larger_class_other_images_come_each_epoch() -> None:
    labels = np.array([0] * 4 + [1] * 40)
    seen = set[int]()
    for epoch in range(1, 200):
        for batch in epoch_batches(labels, 4, seed=0, epoch=epoch, balanced=True):
            seen |= set(batch.tolist())
    assert seen == set(range(44))
