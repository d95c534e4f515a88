"""The workers' part of `fit_probe`: rows in memory once, then sums over all workers."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import ray.train

from ufd_ray.detectors import (
    PaperState,
    Probe,
    cross_validate,
    deal_folds,
    fit_logistic,
    fit_paper,
)
from ufd_ray.errors import SettingsError, UfdError
from ufd_ray.pipeline.data_parallel.checkpoint import TrainCheckpoint, TrainState
from ufd_ray.pipeline.data_parallel.collective import agreed, gather, in_order, sum_over_workers
from ufd_ray.pipeline.data_parallel.progress import entry_line, started_line
from ufd_ray.pipeline.fitting.judging import Judged, logits_of
from ufd_ray.pipeline.fitting.rows import (
    TRAIN,
    TRAIN_VIEWS,
    VAL,
    VAL_VIEWS,
    Rows,
    join_rows,
    read_rows,
)
from ufd_ray.schema import FAKE, REAL
from ufd_ray.settings import FitProbeSettings
from ufd_ray.storage import BankInfo, StorageOptions


@dataclass(frozen=True)
class Task:
    """What every worker is given.

    Attributes:
        settings: the job's.
        bank: what is fitted on.
        storage: how it is reached.
        l2_grid: what cross-validation chooses from, as scikit-learn's C; one is simply taken.
        num_folds: of the cross-validation; 0: none.
        fewer_folds_do: where a class has fewer images than that, as many folds as it has images.
        checkpoint_s: seconds between two checkpoints.
        last_word: actor that the first worker tells how far the fit is.
    """

    settings: FitProbeSettings
    bank: BankInfo
    storage: StorageOptions
    l2_grid: tuple[float, ...]
    num_folds: int
    fewer_folds_do: bool
    checkpoint_s: float
    last_word: Any


@dataclass(frozen=True, eq=False)
class CrossValidated:
    """What cross-validation came to.

    Attributes:
        l2: the best of the grid, or the one that was given.
        grid: `l2` and held-out `log_loss` of each candidate.
        num_folds: into how many folds the images were dealt.
        split_sources: sources that could not be kept within one fold.
        judged: each training image by a probe that did not see its fold, under `l2`.
    """

    l2: float
    grid: list[dict[str, float]]
    num_folds: int
    split_sources: list[str]
    judged: Judged


@dataclass(frozen=True, eq=False)
class Fitted:
    """A probe, and what it came from.

    Attributes:
        probe: on raw features.
        val: the bank's validation images as it sees them.
        l2: scikit-learn's C, as far as the recipe has one.
        converged: whether its optimum was reached, likewise.
        curve: the training curve.
        resumed_at: as in `TrainState`.
        num_images: training images.
        num_rows: what was fitted on: as many, or their augmented views.
        cross_validated: None if it was not asked for.
    """

    probe: Probe
    val: Judged
    l2: float | None = None
    converged: bool = True
    curve: list[dict[str, float]] = field(default_factory=list)
    resumed_at: list[int] = field(default_factory=list)
    num_images: int = 0
    num_rows: int = 0
    cross_validated: CrossValidated | None = None


def fit_on_worker(config: dict[str, Task]) -> Fitted | UfdError:
    """Every worker's part, of the `task` that it is given.

    Returns:
        What was fitted; or the error of ours that all workers agree on, since Ray Train would take
        one that is raised for a lost worker, and try it all again.
    """
    try:
        return _fit(config["task"])
    except UfdError as error:
        return error


def _fit(task: Task) -> Fitted:
    settings, context = task.settings, ray.train.get_context()
    is_paper = settings.recipe == "paper"
    rank, world_size = context.get_world_rank(), context.get_world_size()

    def tell(line: str) -> None:
        if rank == 0:
            task.last_word.tell.remote(line)

    tell(started_line(world_size))
    parts = [TRAIN, TRAIN_VIEWS, VAL, *([VAL_VIEWS] if is_paper else [])]
    # The paper's batches are drawn from rows that are dealt out one by one.
    dealing = {"rank": rank, "world_size": world_size, "by_turns": is_paper}
    rows = agreed(lambda: read_rows(task.bank, task.storage, parts, **dealing))
    sizes = {part: int(sum_over_workers(np.array([float(len(rows[part]))]))[0]) for part in parts}
    train = rows[TRAIN_VIEWS if sizes[TRAIN_VIEWS] else TRAIN]
    checkpoint = TrainCheckpoint(sum_over_workers, task.checkpoint_s)
    state = checkpoint.load()
    l2, validated = task.l2_grid[0], None
    if num_folds := _num_folds(task, rows[TRAIN]):
        validated = _cross_validate(task, num_folds, state, rows[TRAIN], train, tell)
        l2 = validated.l2
        if "theta" not in state.arrays:
            checkpoint.keep(state)
    del rows[TRAIN], rows[TRAIN_VIEWS]
    if is_paper:
        stop = rows[VAL_VIEWS if sizes[VAL_VIEWS] else VAL]
        probe = _fit_paper(settings.seed, train, stop, state, checkpoint, tell, rank, world_size)
        converged = True
    else:
        probe, converged = _fit_logistic(l2, train, state, checkpoint, tell)
    return Fitted(
        probe=probe,
        l2=None if is_paper else l2,
        converged=converged,
        curve=state.curve,
        resumed_at=state.resumed_at,
        num_images=sizes[TRAIN],
        num_rows=sizes[TRAIN_VIEWS] or sizes[TRAIN],
        val=_judge_all(rows[VAL], agreed(lambda: logits_of(probe, rows[VAL])), "val"),
        cross_validated=validated,
    )


def _fit_logistic(
    l2: float,
    train: Rows,
    state: TrainState,
    checkpoint: TrainCheckpoint,
    tell: Callable[[str], None],
) -> tuple[Probe, bool]:
    def after_step(entry: dict[str, float], theta: npt.NDArray[np.float64]) -> None:
        state.curve.append(entry | {"step": len(state.curve) + 1})
        state.arrays["theta"] = theta
        tell(entry_line(state.curve[-1]))
        checkpoint.offer(state)

    fit = fit_logistic(
        train.embeddings,
        train.labels,
        c=l2,
        all_reduce=sum_over_workers,
        start=state.arrays.get("theta"),
        step_callback=after_step,
    )
    return fit.probe, fit.converged


def _fit_paper(
    seed: int,
    train: Rows,
    stop: Rows,
    state: TrainState,
    checkpoint: TrainCheckpoint,
    tell: Callable[[str], None],
    rank: int,
    world_size: int,
) -> Probe:
    def after_epoch(entry: dict[str, float], paper: PaperState) -> None:
        state.curve.append(entry)
        state.arrays = paper.to_arrays()
        tell(entry_line(entry))
        checkpoint.offer(state)

    return fit_paper(
        train.embeddings,
        train.labels,
        stop.embeddings,
        stop.labels,
        seed=seed,
        rank=rank,
        world_size=world_size,
        all_reduce=sum_over_workers,
        state=PaperState.from_arrays(state.arrays) if state.arrays else None,
        epoch_callback=after_epoch,
    ).probe


def _num_folds(task: Task, judged: Rows) -> int:
    """Folds that there can be, 0 where there are to be none, or where a class is too small."""
    if not (task.num_folds and task.fewer_folds_do):
        return task.num_folds
    counts = [np.count_nonzero(judged.labels == label) for label in (REAL, FAKE)]
    num_folds = min(task.num_folds, int(sum_over_workers(np.array(counts, np.float64)).min()))
    if num_folds < 2 and len(task.l2_grid) > 1:
        raise SettingsError("--l2 cv needs at least two training images of each class")
    return num_folds if num_folds >= 2 else 0


def _cross_validate(
    task: Task,
    num_folds: int,
    state: TrainState,
    judged: Rows,
    train: Rows,
    tell: Callable[[str], None],
) -> CrossValidated:
    """Choose l2, and judge each training image (view 0) by a probe that did not see it."""
    images = join_rows(gather(judged.without_embeddings()))
    folds = deal_folds(
        images.image_ids, images.labels, images.sources, num_folds, task.settings.seed
    )
    if "held_out_logits" not in state.arrays:
        what = f"cross-validation: {num_folds} folds, {len(task.l2_grid)} values of l2"
        passes = itertools.count(1)

        def sum_and_tell(vector: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
            tell(f"{what}, {next(passes)} passes over the rows")
            return sum_over_workers(vector)

        fold_of = dict(zip(images.image_ids, folds.numbers, strict=True))

        def fold_numbers(rows: Rows) -> npt.NDArray[np.int8]:
            return np.array([fold_of[image_id] for image_id in rows.image_ids], np.int8)

        found = cross_validate(
            train.embeddings,
            train.labels,
            fold_numbers(train),
            judged.embeddings,
            judged.labels,
            fold_numbers(judged),
            grid=task.l2_grid,
            all_reduce=sum_and_tell,
        )
        logits = in_order(judged.numbers, found.held_out_logits)
        state.arrays["held_out_logits"] = logits
        state.words["cross_validation"] = {"l2": found.c, "grid": found.grid}
    kept, logits = state.words["cross_validation"], state.arrays["held_out_logits"]
    return CrossValidated(
        l2=kept["l2"],
        grid=kept["grid"],
        num_folds=num_folds,
        split_sources=list(folds.split_sources),
        judged=Judged(images.labels, logits.astype(np.float32), images.sources, "cross-validation"),
    )


def _judge_all(mine: Rows, logits: npt.NDArray[np.floating[Any]], of: str) -> Judged:
    rows = join_rows(gather(mine.without_embeddings()))
    return Judged(rows.labels, in_order(mine.numbers, logits).astype(np.float32), rows.sources, of)
