"""An epoch of training comes to the same however many workers take it: here, threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from tests.crawl.tiny_baseline import ARCH, NAME, Tiny
from ufd_ray.encoders.tower import own_random_numbers
from ufd_ray.errors import AccountsError, UfdError
from ufd_ray.pipeline.training.optimizing import make_optimizer
from ufd_ray.pipeline.training.order import epoch_batches, share_of
from ufd_ray.pipeline.training.stepping import Stepping
from ufd_ray.pipeline.training.stream import Pictures

SIZE, NUM_TRAIN, NUM_VAL = 16, 26, 7
_numbers = np.random.default_rng(3)
PIXELS = _numbers.integers(0, 256, (NUM_TRAIN + NUM_VAL, SIZE, SIZE, 3), np.uint8)
LABELS = np.arange(NUM_TRAIN + NUM_VAL, dtype=np.int64) % 2


class Together:
    """What `torch.distributed` does, between threads."""

    def __init__(self, num: int) -> None:
        self.num = num
        self._barrier = threading.Barrier(num, timeout=600)
        self._own = threading.local()
        self._given: list[Any] = [None] * num

    def run(self, work: Callable[[int], Any]) -> list[Any]:
        """What each worker returns, or the error that it raises."""

        def one(rank: int) -> Any:
            self._own.rank = rank
            try:
                return work(rank)
            except UfdError as error:
                return error

        with ThreadPoolExecutor(self.num) as threads:
            return list(threads.map(one, range(self.num)))

    def _all(self, mine: Any) -> list[Any]:
        self._given[self._own.rank] = mine
        self._barrier.wait()
        given = list(self._given)
        self._barrier.wait()
        return given

    def all_reduce(self, tensor: Tensor) -> None:
        tensor.copy_(torch.stack(self._all(tensor.clone())).sum(0))

    def broadcast(self, tensor: Tensor, source: int) -> None:
        tensor.copy_(self._all(tensor.clone())[source])

    def all_gather_object(self, everyones: list[Any], mine: Any) -> None:
        everyones[:] = self._all(mine)

    def get_world_size(self) -> int:
        return self.num


class Shelf:
    """Pictures in an order, of which some cannot be had.

    Args:
        places: of all that are wanted.
        missing: these fail.
        ends_at: so many are there; None: all.
    """

    def __init__(
        self, places: NDArray[np.int64], missing: set[int], ends_at: int | None = None
    ) -> None:
        self._places, self._missing, self._ends_at, self._next = places, missing, ends_at, 0

    def none(self) -> Pictures:
        return self._pictures(np.empty(0, np.int64))

    def take(self, num: int) -> Pictures:
        self._next += num
        if self._ends_at is not None and self._next > self._ends_at:
            raise AccountsError("pictures did not come")
        return self._pictures(self._places[self._next - num : self._next])

    def _pictures(self, places: NDArray[np.int64]) -> Pictures:
        there = np.array([one for one in places if one not in self._missing], np.int64)
        return Pictures(PIXELS[there], LABELS[there], there, len(places) - len(there))


class Shelves:
    """A worker's way through the epochs, as a `Course` has it."""

    def __init__(self, rank: int, num: int, missing: set[int], ends_at: int | None) -> None:
        self._rank, self._num, self._missing, self._ends_at = rank, num, missing, ends_at
        self._validating = share_of(np.arange(NUM_TRAIN, NUM_TRAIN + NUM_VAL), rank, num)
        self.num_validating = len(self._validating)

    def batches(self, epoch: int) -> list[NDArray[np.int64]]:
        labels = LABELS[:NUM_TRAIN]
        batches = epoch_batches(labels, 12, seed=1, epoch=epoch, balanced=False)
        return [share_of(batch, self._rank, self._num) for batch in batches]

    def stream(self, epoch: int) -> Shelf:
        places = np.concatenate([*self.batches(epoch), self._validating])
        return Shelf(places, self._missing, self._ends_at)


def train(
    monkeypatch: pytest.MonkeyPatch,
    num_workers: int,
    missing: set[int],
    ends_at: int | None = None,
    network: Callable[[Tiny], torch.nn.Module] = Tiny.build,
    in_bf16: bool = False,
) -> list[Any]:
    """Of each worker, the curve of two epochs and the network; or its error."""
    together = Together(num_workers)
    for name in ("all_reduce", "broadcast", "all_gather_object", "get_world_size"):
        monkeypatch.setattr(torch.distributed, name, getattr(together, name))
    networks = []
    for _ in range(num_workers):
        with own_random_numbers(1):
            networks.append(network(Tiny(NAME, ARCH, True)))

    def work(rank: int) -> Any:
        baseline = Tiny(NAME, ARCH, True)
        optimizer = make_optimizer(baseline.recipe, networks[rank])
        course: Any = Shelves(rank, num_workers, missing, ends_at if rank == 0 else None)
        stepping = Stepping(baseline, networks[rank], optimizer, course, in_bf16=in_bf16)
        curve = [stepping.epoch(epoch, lambda *_: None) for epoch in (1, 2)]
        return curve, networks[rank].state_dict()

    return together.run(work)


@pytest.mark.parametrize("missing", [set[int](), {0, 5, NUM_TRAIN + 1}])
@pytest.mark.parametrize("num_workers", [2, 3, 5])
def test_any_number_of_workers_comes_to_the_same(
    monkeypatch: pytest.MonkeyPatch, num_workers: int, missing: set[int]
) -> None:
    """The last batch has two images: of five workers, three have none of it."""
    ((curve, network),) = train(monkeypatch, 1, missing)
    assert [entry["num_failed"] for entry in curve] == [len(missing)] * 2
    assert [entry["num_images"] for entry in curve] == [NUM_TRAIN + NUM_VAL] * 2
    assert curve[0]["train_loss"] != curve[1]["train_loss"]
    for own_curve, own_network in train(monkeypatch, num_workers, missing):
        for mine, alone in zip(own_curve, curve, strict=True):
            assert mine == pytest.approx(alone, abs=1e-5)
        for name, values in network.items():
            torch.testing.assert_close(own_network[name], values, atol=1e-5, rtol=0)


def test_a_share_is_taken_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    ((curve, network),) = train(monkeypatch, 1, {0, NUM_TRAIN + 1})
    monkeypatch.setattr("ufd_ray.pipeline.training.stepping.AT_ONCE", 5)
    ((in_pieces, same),) = train(monkeypatch, 1, {0, NUM_TRAIN + 1})
    for mine, whole in zip(in_pieces, curve, strict=True):
        assert mine == pytest.approx(whole, abs=1e-5)
    for name, values in network.items():
        torch.testing.assert_close(same[name], values, atol=1e-5, rtol=0)


def test_products_in_bf16_and_weights_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same curve to some two digits, and not to the bit: rounding is there."""
    ((curve, network),) = train(monkeypatch, 1, set())
    ((in_bf16, rounded),) = train(monkeypatch, 1, set(), in_bf16=True)
    losses, of_bf16 = (
        [entry[name] for entry in one for name in ("train_loss", "validation_loss")]
        for one in (curve, in_bf16)
    )
    assert of_bf16 == pytest.approx(losses, abs=0.02)
    assert of_bf16 != losses
    assert {values.dtype for values in rounded.values()} == {torch.float32}
    steps = {name: network[name] - rounded[name] for name in network}
    assert max(float(step.abs().max()) for step in steps.values()) < 0.05


@pytest.mark.parametrize("ends_at", [0, 3, 13])
def test_what_one_worker_cannot_read_ends_all(
    monkeypatch: pytest.MonkeyPatch, ends_at: int
) -> None:
    """While the first batch is read, a later one, and what validates."""
    ended = train(monkeypatch, 2, set(), ends_at)
    assert [str(error) for error in ended] == ["pictures did not come"] * 2


def test_a_loss_that_is_not_finite_ends_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(baseline: Tiny) -> torch.nn.Module:
        network = baseline.build()
        with torch.no_grad():
            next(network.parameters()).fill_(torch.nan)
        return network

    for error in train(monkeypatch, 2, set(), network=broken):
        assert "the loss is not a finite number in epoch 1, batch 1" in str(error)


@pytest.mark.parametrize(
    ("missing", "does"),
    [(range(NUM_TRAIN), "train"), (range(NUM_TRAIN, NUM_TRAIN + NUM_VAL), "validate")],
)
def test_an_epoch_without_images_ends_all(
    monkeypatch: pytest.MonkeyPatch, missing: range, does: str
) -> None:
    said = f"none of the images that {does} could be read in epoch 1"
    assert [str(error) for error in train(monkeypatch, 2, {*missing})] == [said] * 2
