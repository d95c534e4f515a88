from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import load, save

from tests.unit.detectors.workers import run_workers
from ufd_ray.detectors import AllReduce, PaperFit, PaperState, fit_paper, paper_recipe
from ufd_ray.detectors.early_stop import EarlyStop, learning_rates
from ufd_ray.detectors.paper_recipe import Adam
from ufd_ray.errors import SettingsError

Rows = tuple[NDArray[np.float32], NDArray[np.int8]]


def some_rows(seed: int, n: int, dim: int = 32) -> Rows:
    """Embeddings of norm about 18, classes that overlap."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n).astype(np.int8)
    rows = rng.normal(size=(n, dim)) + 0.4 * (labels[:, None] - 0.5)
    return (rows * 18 / np.sqrt(dim)).astype(np.float32), labels


def fit_on(num_workers: int, train: Rows, val: Rows) -> list[PaperFit]:
    def work(rank: int, all_reduce: AllReduce) -> PaperFit:
        mine = slice(rank, None, num_workers)
        parts = [array[mine] for array in (*train, *val)]
        return fit_paper(*parts, seed=7, rank=rank, world_size=num_workers, all_reduce=all_reduce)

    return run_workers(num_workers, work)


def plain_torch_loop(
    train: Rows, val: Rows, seed: int, dtype: torch.dtype
) -> tuple[torch.nn.Linear, list[float]]:
    """The recipe as one would write it with torch alone, on the same start and order of rows."""
    rows, labels = torch.from_numpy(train[0]).to(dtype), torch.from_numpy(train[1]).to(dtype)
    val_rows, val_labels = torch.from_numpy(val[0]).to(dtype), torch.from_numpy(val[1])
    layer = torch.nn.Linear(rows.shape[1], 1, dtype=dtype)
    start = np.random.default_rng(seed).normal(0, 0.02, rows.shape[1])
    layer.weight.data[:] = torch.from_numpy(start)
    layer.bias.data.zero_()
    optimizer = torch.optim.AdamW(layer.parameters(), 1e-4, betas=(0.9, 0.999), weight_decay=0)
    loss_function = torch.nn.BCEWithLogitsLoss()
    early_stop, accuracies = EarlyStop(), []
    while not early_stop.stopped and len(accuracies) < paper_recipe.MAX_EPOCHS:
        optimizer.param_groups[0]["lr"] = early_stop.learning_rate
        order = np.random.default_rng([seed, len(accuracies) + 1]).permutation(len(rows))
        for batch in torch.from_numpy(order).split(256):
            optimizer.zero_grad()
            loss_function(layer(rows[batch])[:, 0], labels[batch]).backward()
            optimizer.step()
        with torch.no_grad():
            right = (torch.sigmoid(layer(val_rows)[:, 0]) > 0.5) == (val_labels == 1)
        accuracies.append(float(right.double().mean()))
        early_stop.judge(accuracies[-1])
    return layer, accuracies


def test_it_is_the_plain_torch_loop_in_double_precision() -> None:
    train, val = some_rows(0, 1500), some_rows(1, 400)
    fit = fit_paper(*train, *val, seed=7)
    layer, accuracies = plain_torch_loop(train, val, 7, torch.float64)
    assert [entry["validation_accuracy"] for entry in fit.curve] == accuracies
    np.testing.assert_allclose(fit.probe.weight, layer.weight[0].detach().numpy(), rtol=1e-6)
    assert fit.probe.bias == pytest.approx(layer.bias.item(), rel=1e-6)


def test_float32_as_the_authors_use_it_comes_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paper_recipe, "MAX_EPOCHS", 10)
    train, val = some_rows(0, 1500), some_rows(1, 400)
    fit = fit_paper(*train, *val, seed=7)
    layer, _ = plain_torch_loop(train, val, 7, torch.float32)
    np.testing.assert_allclose(fit.probe.weight, layer.weight[0].detach().numpy(), atol=1e-5)


@pytest.mark.parametrize("num_workers", [2, 4])
def test_the_number_of_workers_does_not_matter(num_workers: int) -> None:
    train, val = some_rows(2, 1001), some_rows(3, 203)
    alone = fit_paper(*train, *val, seed=7)
    fits = fit_on(num_workers, train, val)
    for fit in fits:
        np.testing.assert_array_equal(fit.probe.weight, fits[0].probe.weight)
        np.testing.assert_allclose(fit.probe.weight, alone.probe.weight, atol=1e-7)
        assert len(fit.curve) == len(alone.curve)
        for mine, other in zip(fit.curve, alone.curve, strict=True):
            assert mine == pytest.approx(other, rel=1e-9)


def test_more_workers_than_rows() -> None:
    train, val = some_rows(4, 5, dim=3), some_rows(5, 3, dim=3)
    train[1][:2] = val[1][:2] = 0, 1
    alone = fit_paper(*train, *val, seed=7)
    for fit in fit_on(8, train, val):
        np.testing.assert_allclose(fit.probe.weight, alone.probe.weight, atol=1e-7)


def test_it_learns_and_reports_each_epoch() -> None:
    train, val = some_rows(6, 4000), some_rows(7, 1000)
    seen: list[dict[str, float]] = []
    fit = fit_paper(*train, *val, seed=1, epoch_callback=lambda entry, _: seen.append(entry))
    assert seen == fit.curve
    assert [entry["epoch"] for entry in seen] == list(range(1, len(seen) + 1))
    assert seen[0]["learning_rate"] == 1e-4
    assert seen[-1]["train_loss"] < seen[0]["train_loss"]
    assert seen[-1]["validation_loss"] < seen[0]["validation_loss"]
    right = (fit.probe.scores(val[0]) > 0.5) == val[1]
    assert right.mean() == pytest.approx(seen[-1]["validation_accuracy"], abs=0.002)
    assert right.mean() > 0.8


def test_going_on_from_any_epoch_gives_the_same_bits() -> None:
    train, val = some_rows(16, 700), some_rows(17, 200)
    states: list[PaperState] = []
    whole = fit_paper(*train, *val, seed=3, epoch_callback=lambda _, state: states.append(state))
    assert len({state.early_stop[0] for state in states}) == 4  # after every drop as well
    for epoch in (1, 2, len(states) // 2, len(states) - 1, len(states)):
        # Through a file, as it is kept.
        kept = load(save({k: v.copy() for k, v in states[epoch - 1].to_arrays().items()}))
        later: list[PaperState] = []
        fit = fit_paper(
            *train, *val, seed=3, state=PaperState.from_arrays(kept),
            epoch_callback=lambda _, state, later=later: later.append(state),
        )  # fmt: skip
        np.testing.assert_array_equal(fit.probe.weight, whole.probe.weight)
        assert fit.probe.bias == whole.probe.bias
        assert fit.curve == whole.curve
        assert len(later) == len(states) - epoch
        for mine, other in zip(later, states[epoch:], strict=True):
            for name, array in mine.to_arrays().items():
                assert array.tobytes() == other.to_arrays()[name].tobytes()


def test_going_on_with_several_workers() -> None:
    train, val = some_rows(18, 500), some_rows(19, 101)

    def work(rank: int, all_reduce: AllReduce) -> tuple[PaperFit, PaperFit]:
        parts = [array[rank::3] for array in (*train, *val)]
        options = {"seed": 7, "rank": rank, "world_size": 3, "all_reduce": all_reduce}
        states: list[PaperState] = []
        whole = fit_paper(*parts, **options, epoch_callback=lambda _, state: states.append(state))
        return whole, fit_paper(*parts, **options, state=states[4])

    for whole, resumed in run_workers(3, work):
        np.testing.assert_array_equal(resumed.probe.weight, whole.probe.weight)
        assert resumed.curve == whole.curve


def test_a_state_that_does_not_fit_is_refused() -> None:
    train, val = some_rows(20, 50, dim=4), some_rows(21, 20, dim=4)
    states: list[PaperState] = []
    fit_paper(*train, *val, seed=3, epoch_callback=lambda _, state: states.append(state))
    arrays = states[0].to_arrays()
    with pytest.raises(ValueError, match="lacks the array 'second'"):
        PaperState.from_arrays({k: v for k, v in arrays.items() if k != "second"})
    with pytest.raises(ValueError, match=r"first must have shape \(5,\), but has \(3,\)"):
        PaperState.from_arrays(arrays | {"first": np.zeros(3)})
    with pytest.raises(ValueError, match="of 4 features, not of 32"):
        fit_paper(*some_rows(22, 50), *some_rows(23, 20), seed=3, state=states[0])


def test_the_seed_decides() -> None:
    train, val = some_rows(8, 300), some_rows(9, 50)
    first, again, other = (fit_paper(*train, *val, seed=seed).probe.weight for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_adam_is_torchs() -> None:
    rng = np.random.default_rng(0)
    weight = torch.zeros(5, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.AdamW([weight], 1e-3, weight_decay=0)
    adam, ours = Adam(5), np.zeros(5)
    for _ in range(50):
        gradient = rng.normal(size=5) * [0, 1e-9, 1e-3, 1, 1e6]
        weight.grad = torch.from_numpy(gradient)
        optimizer.step()
        ours += adam.step(gradient, 1e-3)
    np.testing.assert_allclose(ours, weight.detach().numpy(), rtol=1e-9)


@pytest.mark.parametrize(
    ("accuracies", "rates"),
    [
        # Never a gain: the first sets the best, five more and the rate drops, three times over.
        ([0.8] * 18, [1e-4] * 6 + [1e-5] * 6 + [1e-6] * 6),
        # A gain of just .001 counts, one of less does not and is measured from the same best.
        ([0.5, 0.501, 0.5019, 0.5019, 0.5019, 0.5019, 0.5020], [1e-4] * 7),
        ([0.5, 0.501, 0.5019, 0.5019, 0.5019, 0.5019, 0.5019, 0.6], [1e-4] * 7 + [1e-5]),
        # The fifth epoch in vain drops it; a gain in the fourth starts the count again.
        ([0.8, 0.7, 0.7, 0.7, 0.7, 0.9, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7], [1e-4] * 11 + [1e-5]),
        # After a drop each rate has a first best of its own, and .001 is no longer a gain.
        (
            [0.8] * 6 + [0.7, 0.7015, 0.7015, 0.7015, 0.7015, 0.7015, 0.7],
            [1e-4] * 6 + [1e-5] * 6 + [1e-6],
        ),
        ([0.8] * 6 + [0.7, 0.702, 0.702, 0.702, 0.702, 0.702, 0.7], [1e-4] * 6 + [1e-5] * 7),
    ],
)
def test_early_stop(accuracies: list[float], rates: list[float]) -> None:
    early_stop, used = EarlyStop(), []
    for accuracy in accuracies:
        assert not early_stop.stopped
        used.append(early_stop.learning_rate)
        early_stop.judge(accuracy)
    assert used == rates
    assert early_stop.stopped == (len(rates) == 18)


def test_unusable_settings_and_rows_are_refused() -> None:
    train, val = some_rows(10, 20, dim=4), some_rows(11, 20, dim=4)
    with pytest.raises(SettingsError, match="at least 0, but is -1"):
        fit_paper(*train, *val, seed=-1)
    with pytest.raises(SettingsError, match="validation needs images of both classes"):
        fit_paper(*train, val[0], np.zeros(20, np.int8), seed=0)
    with pytest.raises(SettingsError, match="training needs images of both classes"):
        fit_paper(train[0], np.ones(20, np.int8), *val, seed=0)
    bad = val[0].copy()
    bad[3, 3] = np.inf
    with pytest.raises(SettingsError, match="1 of 20 validation embeddings have NaN"):
        fit_paper(*train, bad, val[1], seed=0)


def test_rows_dealt_out_otherwise_are_refused_by_all() -> None:
    train, val = some_rows(12, 20, dim=4), some_rows(13, 20, dim=4)

    def work(rank: int, all_reduce: AllReduce) -> None:
        mine = slice(12) if rank == 0 else slice(12, None)
        with pytest.raises(ValueError, match=f"worker {rank} of 2 has {[12, 8][rank]} of 20 rows"):
            fit_paper(
                train[0][mine], train[1][mine], *val,
                seed=0, rank=rank, world_size=2, all_reduce=all_reduce,
            )  # fmt: skip

    run_workers(2, work)


def test_an_epoch_of_20_000_clip_embeddings_is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paper_recipe, "MAX_EPOCHS", 2)
    train, val = some_rows(14, 20_000, dim=768), some_rows(15, 500, dim=768)
    start = time.process_time()
    fit_paper(*train, *val, seed=0)
    assert time.process_time() - start < 10  # about 0.2 s of a core, however busy that is


@pytest.mark.parametrize(
    ("start", "rates"),
    [
        (1e-4, (1e-4, 1e-5, 1e-6)),
        (1e-3, (1e-3, 1e-4, 1e-5, 1e-6)),
        (5e-6, (5e-6,)),
        (1e-7, (1e-7,)),
        (0.3, (0.3, 0.03, 0.003, 3e-4, 3e-5, 3e-6)),
    ],
)
def test_learning_rates_from_any_start(start: float, rates: tuple[float, ...]) -> None:
    assert learning_rates(start) == rates


def test_an_early_stop_from_another_start_drops_once_more() -> None:
    stop, seen = EarlyStop(start=1e-3), []
    while not stop.stopped:
        seen.append(stop.learning_rate)
        stop.judge(0.5)
    assert seen == [rate for rate in (1e-3, 1e-4, 1e-5, 1e-6) for _ in range(6)]
    again = EarlyStop(stop.state, start=1e-3)
    assert again.stopped
