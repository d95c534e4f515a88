from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ufd_ray.detectors import balanced_order

LABELS = st.lists(st.integers(0, 1), max_size=60)


@given(LABELS, st.integers(0, 2**63 - 1))
def test_subsets_are_nested_and_balanced(labels: list[int], seed: int) -> None:
    names = [f"{place:04d}" for place in range(len(labels))]
    order = balanced_order(np.array(labels, np.int8), names, seed)
    fewest = min(labels.count(0), labels.count(1))
    assert len(order) == 2 * fewest
    assert len(set(order.tolist())) == len(order)
    # Every beginning of an even size is a subset: nested, therefore; and half of it is real.
    chosen = np.array(labels, np.int8)[order]
    for size in range(0, len(order) + 1, 2):
        assert chosen[:size].sum() == size // 2


@given(LABELS, st.randoms())
def test_they_do_not_depend_on_the_order_of_rows(labels: list[int], random: object) -> None:
    names = np.array([f"{place:04d}" for place in range(len(labels))], np.str_)
    given_labels = np.array(labels, np.int8)
    mixed = list(range(len(labels)))
    random.shuffle(mixed)  # type: ignore[attr-defined]
    rows = np.array(mixed, np.int64)
    order = balanced_order(given_labels, names, 3)
    other = balanced_order(given_labels[rows], names[rows], 3)
    assert names[order].tolist() == names[rows][other].tolist()


def test_seeds_draw_others() -> None:
    labels, names = np.arange(40) % 2, [str(place) for place in range(40)]
    draws = {tuple(balanced_order(labels, names, seed)[:10]) for seed in range(8)}
    assert len(draws) == 8
    # All of a balanced bank are all of it, whatever the seed.
    assert sorted(balanced_order(labels, names, 1)) == list(range(40))
