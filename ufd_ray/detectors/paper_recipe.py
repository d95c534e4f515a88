"""The probe fitted as the paper's authors fit theirs, over any number of workers.

Source: the paper's section 4 (binary cross entropy on a linear layer) and its released code:
AdamW at 1e-4 with betas (.9, .999) and no weight decay, batches of 256, weights from N(0, .02),
an early stop on validation accuracy. It expects embeddings of CLIP's size (norm about 18); much
smaller ones hardly move in so few small steps. Three details that the sources leave open are
ours: the bias starts at 0, the last batch of an epoch may be smaller, and the weights at the
stop are the result.

The order of an epoch is a permutation of all rows, drawn from the seed alone. A worker adds up
its own rows of each batch, and one all-reduce makes the batch's mean gradient: so any number of
workers walks the same path. Sums and steps are in float64, which keeps their rounding apart from
the path for thousands of steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ufd_ray.detectors.early_stop import EarlyStop
from ufd_ray.detectors.probe import Probe, sigmoid
from ufd_ray.detectors.training_rows import CHUNK_ROWS, AllReduce, count_rows, identity
from ufd_ray.errors import SettingsError
from ufd_ray.schema import FAKE

BATCH_SIZE = 256
MAX_EPOCHS = 100
WEIGHT_DEVIATION = 0.02
BETAS = (0.9, 0.999)
EPSILON = 1e-8
CURVE = ("epoch", "learning_rate", "train_loss", "validation_loss", "validation_accuracy")
"""What the curve tells of an epoch."""


@dataclass(frozen=True, eq=False)
class PaperFit:
    """A fit.

    Attributes:
        probe: on raw features.
        curve: one dict an epoch: `epoch`, `learning_rate`, `train_loss` (mean over the epoch, as
            it went), `validation_loss` and `validation_accuracy` (at 0.5).
    """

    probe: Probe
    curve: list[dict[str, float]]


@dataclass(frozen=True, eq=False)
class PaperState:
    """Where a fit stands after an epoch: all that it needs to go on with the same bits.

    Attributes:
        theta: (d + 1,) float64, the bias last.
        first: (d + 1,) float64, Adam's running mean of the gradient.
        second: (d + 1,) float64, that of its square.
        num_steps: Adam's steps so far.
        early_stop: the early stop's drops, best accuracy (NaN where there is none yet) and epochs
            waited.
        curve: the epochs so far, as in `PaperFit`.
    """

    theta: NDArray[np.float64]
    first: NDArray[np.float64]
    second: NDArray[np.float64]
    num_steps: int
    early_stop: tuple[int, float, int]
    curve: list[dict[str, float]]

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        """Named arrays, all float64, which hold every bit of it."""
        curve = [[entry[name] for name in CURVE] for entry in self.curve]
        return {
            "theta": self.theta,
            "first": self.first,
            "second": self.second,
            "num_steps": np.array([self.num_steps], np.float64),
            "early_stop": np.array(self.early_stop, np.float64),
            "curve": np.array(curve, np.float64).reshape(-1, len(CURVE)),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.float64]]) -> PaperState:
        """The state that `to_arrays` gave.

        Raises:
            ValueError: an array is missing or does not fit.
        """
        shapes: dict[str, tuple[int, ...]] = {"early_stop": (3,), "num_steps": (1,)}
        for name in ("theta", "first", "second", "num_steps", "early_stop", "curve"):
            if name not in arrays:
                raise ValueError(f"the state of a fit lacks the array {name!r}")
            expected = shapes.get(name, arrays["theta"].shape)
            if name == "curve":
                expected = (len(arrays[name]), len(CURVE))
            if arrays[name].shape != expected:
                raise ValueError(
                    f"the state's {name} must have shape {expected}, but has {arrays[name].shape}"
                )
        drops, best, waited = arrays["early_stop"].tolist()
        curve = [dict(zip(CURVE, row, strict=True)) for row in arrays["curve"].tolist()]
        for entry in curve:
            entry["epoch"] = int(entry["epoch"])
        return cls(
            arrays["theta"].copy(),
            arrays["first"].copy(),
            arrays["second"].copy(),
            int(arrays["num_steps"][0]),
            (int(drops), best, int(waited)),
            curve,
        )


class Adam:
    """AdamW without weight decay (Kingma and Ba 2015, algorithm 1), in NumPy.

    NumPy, because then every worker's step is made of the same plain float64 operations.
    """

    def __init__(self, size: int) -> None:
        self.first = np.zeros(size)
        self.second = np.zeros(size)
        self.num_steps = 0

    @classmethod
    def after(cls, state: PaperState) -> Adam:
        """As it was then."""
        adam = cls(0)
        adam.first, adam.second = state.first.copy(), state.second.copy()
        adam.num_steps = state.num_steps
        return adam

    def step(self, gradient: NDArray[np.float64], learning_rate: float) -> NDArray[np.float64]:
        """What to add to the weights."""
        self.num_steps += 1
        self.first += (1 - BETAS[0]) * (gradient - self.first)
        self.second += (1 - BETAS[1]) * (gradient * gradient - self.second)
        mean = self.first / (1 - BETAS[0] ** self.num_steps)
        deviation = np.sqrt(self.second / (1 - BETAS[1] ** self.num_steps))
        return -learning_rate * mean / (deviation + EPSILON)


def fit_paper(
    embeddings: NDArray[np.floating],
    labels: NDArray[np.integer],
    val_embeddings: NDArray[np.floating],
    val_labels: NDArray[np.integer],
    *,
    seed: int,
    rank: int = 0,
    world_size: int = 1,
    all_reduce: AllReduce = identity,
    state: PaperState | None = None,
    epoch_callback: Callable[[dict[str, float], PaperState], None] | None = None,
) -> PaperFit:
    """Fit a probe. Called by every worker at the same time, each with its own rows.

    Args:
        embeddings: (n, d) floating, raw: of all training rows, in one order that all workers
            know, those whose number r has r % world_size == rank. n may be 0.
        labels: (n,) integers, 0 real, 1 fake.
        val_embeddings: (m, d) floating, this worker's validation rows, dealt out in any way.
        val_labels: (m,) integers.
        seed: of the weights and of the order of rows, at least 0.
        rank: this worker's number, 0 … world_size - 1.
        world_size: number of workers.
        all_reduce: sum over the workers.
        state: after which epoch to go on, the same for all workers; without it, from the start.
            The result has the same bits as that of the fit which gave the state.
        epoch_callback: called after every epoch with the curve's new entry and the state.

    Returns:
        The fit; equal on all workers, and for any number of them, up to rounding.

    Raises:
        ValueError: shapes do not fit, or the rows are dealt out in another way.
        SettingsError: rows are not finite, or a class has no training or no validation row.
    """
    if seed < 0:
        raise SettingsError(f"seed must be at least 0, but is {seed}")
    num_rows = sum(count_rows(embeddings, labels, all_reduce))
    num_val = sum(count_rows(val_embeddings, val_labels, all_reduce, what="validation"))
    misdealt = len(embeddings) != len(range(rank, num_rows, world_size))
    if all_reduce(np.array([float(misdealt)]))[0]:
        raise ValueError(
            f"worker {rank} of {world_size} has {len(embeddings)} of {num_rows} rows: every "
            f"worker must have the rows r with r % {world_size} equal to its rank"
        )
    dim = embeddings.shape[1]
    if state is None:
        theta = np.append(np.random.default_rng(seed).normal(0.0, WEIGHT_DEVIATION, dim), 0.0)
        adam, early_stop = Adam(dim + 1), EarlyStop()
        curve: list[dict[str, float]] = []
    elif state.theta.shape != (dim + 1,):
        raise ValueError(f"the state is of {len(state.theta) - 1} features, not of {dim}")
    else:
        theta, adam = state.theta.copy(), Adam.after(state)
        early_stop, curve = EarlyStop(state.early_stop), list(state.curve)
    while not early_stop.stopped and len(curve) < MAX_EPOCHS:
        epoch, learning_rate, train_loss = len(curve) + 1, early_stop.learning_rate, 0.0
        order = np.random.default_rng([seed, epoch]).permutation(num_rows)
        for rows, size in _batches(order, rank, world_size):
            loss, gradient, _ = _sums(theta, embeddings[rows], labels[rows])
            total = all_reduce(np.append(gradient, loss))
            theta += adam.step(total[:-1] / size, learning_rate)
            train_loss += float(total[-1])
        val_loss, num_right = _validate(theta, val_embeddings, val_labels, all_reduce)
        early_stop.judge(num_right / num_val)
        curve.append(
            {
                "epoch": epoch,
                "learning_rate": learning_rate,
                "train_loss": train_loss / num_rows,
                "validation_loss": val_loss / num_val,
                "validation_accuracy": num_right / num_val,
            }
        )
        if epoch_callback is not None:
            epoch_callback(
                curve[-1],
                PaperState(
                    theta.copy(),
                    adam.first.copy(),
                    adam.second.copy(),
                    adam.num_steps,
                    early_stop.state,
                    list(curve),
                ),
            )
    return PaperFit(Probe(theta[:-1].astype(np.float32), np.float32(theta[-1])), curve)


def _batches(
    order: NDArray[np.int64], rank: int, world_size: int
) -> Iterator[tuple[NDArray[np.int64], int]]:
    """This worker's own rows (its own numbering) of each batch, and the size of the whole batch."""
    places = np.flatnonzero(order % world_size == rank)
    own = order[places] // world_size
    for start in range(0, len(order), BATCH_SIZE):
        end = min(start + BATCH_SIZE, len(order))
        first, last = np.searchsorted(places, [start, end])
        yield own[first:last], end - start


def _sums(
    theta: NDArray[np.float64], embeddings: NDArray[np.floating], labels: NDArray[np.integer]
) -> tuple[float, NDArray[np.float64], int]:
    """Summed cross entropy, its gradient (d + 1,), and how many rows are on their side of 0.5."""
    rows, fake = embeddings.astype(np.float64), labels == FAKE
    logit = rows @ theta[:-1] + theta[-1]
    excess = sigmoid(logit) - fake
    loss = float(np.logaddexp(0.0, np.where(fake, -logit, logit)).sum())
    right = int(np.count_nonzero((logit > 0) == fake))
    return loss, np.append(excess @ rows, excess.sum()), right


def _validate(
    theta: NDArray[np.float64],
    embeddings: NDArray[np.floating],
    labels: NDArray[np.integer],
    all_reduce: AllReduce,
) -> tuple[float, int]:
    """Summed cross entropy and number of right verdicts at 0.5, over all workers."""
    mine = np.zeros(2)
    for start in range(0, len(embeddings), CHUNK_ROWS):
        part = slice(start, start + CHUNK_ROWS)
        loss, _, right = _sums(theta, embeddings[part], labels[part])
        mine += loss, right
    total = all_reduce(mine)
    return float(total[0]), int(total[1])
