from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import torch
from scipy.stats import binom

from ufd_ray.errors import StorageError
from ufd_ray.pipeline.banking import leave_one_out
from ufd_ray.pipeline.banking.leave_one_out import Drawing, SearchWithout

IDS = pa.array([f"{n:032x}" for n in range(20_000)])


def test_rows_are_drawn_by_share_and_seed() -> None:
    drawn = Drawing(0.1, 7).draw(IDS)
    low, high = binom.interval(1 - 1e-6, len(IDS), 0.1)
    assert low <= drawn.sum() <= high
    assert np.array_equal(drawn, Drawing(0.1, 7).draw(IDS))
    both = (drawn & Drawing(0.1, 8).draw(IDS)).sum()
    low, high = binom.interval(1 - 1e-6, len(IDS), 0.01)
    assert low <= both <= high, "another seed draws independently"


def test_a_row_is_drawn_in_any_company() -> None:
    drawn, order = Drawing(0.3, 1).draw(IDS), np.random.default_rng(0).permutation(len(IDS))[:500]
    assert np.array_equal(Drawing(0.3, 1).draw(IDS.take(pa.array(order))), drawn[order])


def test_all_are_drawn_where_all_are_wanted() -> None:
    assert Drawing().draw(IDS).all()
    assert Drawing(1.7).draw(IDS).all()


class Damaged:
    def connect(self) -> None:
        raise StorageError("bank b: shard s is damaged")


def test_a_bank_that_cannot_be_read_is_told_at_the_first_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(leave_one_out, "this_node", lambda: (torch.get_num_threads(), 0.0))
    stage = SearchWithout(search=Damaged(), k=3)  # type: ignore[arg-type]
    with pytest.raises(StorageError, match="shard s is damaged"):
        stage(pa.table({"image_id": IDS[:2]}))
