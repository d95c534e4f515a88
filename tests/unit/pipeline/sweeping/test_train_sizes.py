from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.crawl.handmade import HERE, TINY, make_bank
from ufd_ray.detectors import (
    NeighborSearch,
    NestedSearch,
    fit_logistic,
    margin,
    mean_margin,
    searchable,
    vote,
)
from ufd_ray.errors import SettingsError
from ufd_ray.pipeline.cluster import Cluster
from ufd_ray.pipeline.sweeping.scoring import mean_margins_of, votes_of
from ufd_ray.pipeline.sweeping.train_sizes import L2, check_sizes, fit_probes, read_subset
from ufd_ray.settings import EvaluateSettings, FitProbeSettings
from ufd_ray.storage import BankInfo, read_bank_info, read_searchable


@pytest.fixture
def bank(tmp_path: Path) -> BankInfo:
    return read_bank_info(str(make_bank(tmp_path / "bank", num_rows=40)), HERE)


def test_the_subset_of_everything_is_the_whole(bank: BankInfo) -> None:
    queries = np.random.default_rng(0).normal(size=(30, TINY.dim)).astype(np.float32)
    chosen = read_subset(bank, 40, 3, HERE)
    whole = searchable(read_searchable(bank, HERE))
    assert sorted(chosen.image_ids) == sorted(whole.image_ids)
    nested = NestedSearch(chosen.embeddings, chosen.labels, chosen.image_ids, [40])
    near = nested.search(queries, 5, per_class=9)
    search = NeighborSearch(whole.embeddings, whole.labels, whole.image_ids)
    all_of_it = search.search(queries, 5, per_class=5)
    assert np.array_equal(margin(near[0]), margin(all_of_it))
    votes = votes_of(near[0].index, chosen.labels, [1, 5, 9])
    assert list(votes) == ["nn_vote_k1", "nn_vote_k5"]  # of nine neighbours there are not enough
    assert np.array_equal(votes["nn_vote_k5"], vote(all_of_it, whole.labels))
    means = mean_margins_of(near[0], [1, 5, 9], 5)  # as if there were five of each class
    assert list(means) == ["nn_mean_margin_k1", "nn_mean_margin_k5"]
    assert np.array_equal(means["nn_mean_margin_k5"], mean_margin(all_of_it, 5))
    fitted = fit_probes(chosen, [40])[40].scores(queries)
    expected = fit_logistic(whole.embeddings, whole.labels, c=L2).probe.scores(queries)
    assert fitted == pytest.approx(expected, abs=1e-5)


def test_smaller_subsets_are_the_beginning_of_larger_ones(bank: BankInfo) -> None:
    large, small = read_subset(bank, 30, 3, HERE), read_subset(bank, 8, 3, HERE)
    assert large.image_ids[:8].tolist() == small.image_ids.tolist()
    assert np.array_equal(large.embeddings[:8], small.embeddings)
    assert small.labels.sum() == 4
    # Whose embeddings they are: those of the bank by the same name.
    whole = searchable(read_searchable(bank, HERE))
    place = {name: row for row, name in enumerate(whole.image_ids.tolist())}
    rows = [place[name] for name in large.image_ids.tolist()]
    assert np.array_equal(large.embeddings, whole.embeddings[rows])
    assert np.array_equal(large.labels, whole.labels[rows])


def test_probes_are_fitted_as_fit_probe_does() -> None:
    assert FitProbeSettings.model_fields["l2"].default == L2


@pytest.mark.parametrize(
    ("size", "memory", "said"),
    [
        (42, 2**40, "the bank has 40 images to search, and 20 of one class; give at most 40"),
        (40, 2**10, "may take 1 MiB of each machine; give smaller ones, or raise --search-memory"),
        (40, 2**40, None),
        (40, 0, None),
    ],
)
def test_what_cannot_be_had_is_said_before(
    bank: BankInfo, size: int, memory: int, said: str | None
) -> None:
    settings = EvaluateSettings(
        input=["/i"], output="/o", bank=bank.uri, sweep_train_size=[size, 2]
    )
    cluster = Cluster((2,), memory=memory) if memory else Cluster(())
    if said is None:
        check_sizes(settings, bank, cluster)
        return
    with pytest.raises(SettingsError, match=said):
        check_sizes(settings, bank, cluster)


def test_a_bank_whose_held_out_images_were_counted_is_told(bank: BankInfo) -> None:
    with pytest.raises(SettingsError, match="only 20 images to search of one class; give at"):
        read_subset(bank, 42, 0, HERE)
