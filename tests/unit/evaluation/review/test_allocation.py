from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from ufd_ray.evaluation.review import allocate, stratum_cuts

strata = st.lists(
    st.tuples(st.integers(1, 10**8), st.sampled_from(["real", "unsure", "fake"])),
    min_size=1,
    max_size=12,
)


@given(strata, st.integers(1, 500))
def test_all_labels_are_shared_out_and_no_stratum_goes_without(
    given_strata: list[tuple[int, str]], num_labels: int
) -> None:
    sizes = [size for size, _ in given_strata]
    labels = allocate(sizes, [verdict for _, verdict in given_strata], num_labels)
    fewest = [min(2, size) for size in sizes]
    assert all(f <= n <= size for f, n, size in zip(fewest, labels, sizes, strict=True))
    assert sum(labels) == max(sum(fewest), min(num_labels, sum(sizes)))


def test_verdicts_get_the_same_and_strata_by_the_root_of_their_size() -> None:
    sizes = [750_000, 187_500, 46_875, 15_625, 100, 400]
    labels = allocate(sizes, ["real"] * 4 + ["fake"] * 2, 600)
    assert abs(sum(labels[:4]) - 300) <= 100
    roots = [math.sqrt(size) for size in sizes[:4]]
    wished = [root / sum(roots) * sum(labels[:4]) for root in roots]
    assert all(abs(n - wish) <= 2 for n, wish in zip(labels[:4], wished, strict=True))
    assert allocate([10, 10**6], ["fake", "real"], 200) == [10, 190]


def test_few_labels_make_few_strata() -> None:
    assert stratum_cuts(400, 2) == [1 / 64, 1 / 16, 1 / 4]
    assert stratum_cuts(20, 2) == [1 / 4]
    assert stratum_cuts(20, 3) == []
