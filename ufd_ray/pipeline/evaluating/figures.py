"""All figures of an evaluation, and how they came about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ufd_ray.evaluation import FEWEST_POINTS, ScoreColumn, SetPlan
from ufd_ray.images.spectra import MEDIAN_SIDE
from ufd_ray.pipeline.comparing.features import draw_features
from ufd_ray.pipeline.evaluating.account import names_and_labels
from ufd_ray.pipeline.evaluating.embedding_figure import draw_map, seen_embeddings
from ufd_ray.pipeline.evaluating.evaluation import Evaluation
from ufd_ray.pipeline.evaluating.sampled import MOST_OF_A_CLASS
from ufd_ray.pipeline.evaluating.score_figures import drawn, score_figures
from ufd_ray.pipeline.evaluating.scores import Collected
from ufd_ray.pipeline.evaluating.spectra import Spectra
from ufd_ray.report.figures import MOST_PANELS, Drawing, spectra_figure
from ufd_ray.schema import FAKE, REAL
from ufd_ray.storage import embedding_matrix


@dataclass(frozen=True)
class Figures:
    """What is written below `figures/`.

    Attributes:
        drawings: name of a file, without its ending → figure.
        facts: `figures` of `evaluation.json`.
    """

    drawings: dict[str, Drawing]
    facts: dict[str, Any]


def draw_figures(
    evaluation: Evaluation,
    sets: SetPlan,
    collected: Collected,
    scores: Mapping[str, npt.NDArray[np.float32]],
    columns: Sequence[ScoreColumn],
    spectra: Spectra | None,
) -> Figures:
    """Draw all that there is something to be drawn for; of the others, say why.

    Args:
        evaluation: what is evaluated.
        sets: which sets, by which images.
        collected: the rows of the flow.
        scores: detector → (n,).
        columns: the detectors.
        spectra: of some images of each set; None: none were looked at.

    Raises:
        StorageError: the bank cannot be read.
    """
    names, labels = names_and_labels(collected)
    drawings = score_figures(sets, names, labels, scores, columns)
    facts: dict[str, Any] = {
        "detectors": [column.name for column in drawn(columns)],
        "sets": list(sets.reals_of)[:MOST_PANELS],
    }
    left_out: dict[str, str] = {}
    try:
        drawings["t-sne"], facts["t-sne"] = _map(evaluation, collected)
    except ValueError as error:
        left_out["t-sne"] = str(error)
    for one in evaluation.compared:
        if one.baseline.has_features:
            name = f"t-sne-{one.column.name}"
            try:
                drawings[name], facts[name] = draw_features(
                    one, collected.kept, evaluation.settings.seed
                )
            except ValueError as error:
                left_out[name] = str(error)
    if spectra is not None:
        facts["spectra"] = _describe(spectra)
        found = _spectra(sets, spectra)
        drawings |= found
        if not found:
            left_out["spectra"] = f"no image of {spectra.size} pixels or more could be read"
    return Figures(drawings, facts | {"left_out": left_out})


def _map(evaluation: Evaluation, collected: Collected) -> tuple[Drawing, dict[str, Any]]:
    kept, detectors, seed = collected.kept, evaluation.detectors, evaluation.settings.seed
    if len(kept) < FEWEST_POINTS:
        raise ValueError(f"{len(kept)} images have an embedding, of {FEWEST_POINTS} at least")
    unseen = embedding_matrix(kept["embedding"]), np.asarray(kept["label"], np.int8)
    seen = seen_embeddings(detectors.bank, seed, evaluation.storage) if detectors.bank else None
    most = MOST_OF_A_CLASS
    which = f"Unseen: up to {most} test images of a class, as many of each set as of another."
    if seen:
        which += f" Seen: up to {most} of the bank."
    return draw_map(unseen, seen, f"Embeddings of {evaluation.plan.spec}", which, seed)


def _describe(spectra: Spectra) -> dict[str, Any]:
    images: dict[str, dict[str, int]] = {}
    for (name, label), sums in sorted(spectra.sums.items()):
        images.setdefault(name, {})["real" if label == REAL else "fake"] = sums.num_images
    return {
        "size": spectra.size,
        "median_side": MEDIAN_SIDE,
        "images": images,
        "too_small": spectra.num_small,
        "failed": spectra.num_failed,
    }


def _spectra(sets: SetPlan, spectra: Spectra) -> dict[str, Drawing]:
    shown = list(sets.reals_of.items())[:MOST_PANELS]
    strata = [stratum for name, lender in shown for stratum in ((lender, REAL), (name, FAKE))]
    panels = {one: spectra.sums[one] for one in dict.fromkeys(strata) if one in spectra.sums}
    if not panels:
        return {}
    about = (
        f"Image less its {MEDIAN_SIDE}×{MEDIAN_SIDE} median; centre crops of {spectra.size} pixels;"
        " mean over channels. Grey: logarithm of the magnitude, in each panel from its own 1st"
        " percentile to its 99.9th."
    )
    return {
        "spectra-of-mean": spectra_figure(
            {one: (sums.num_images, sums.of_mean()) for one, sums in panels.items()},
            "Spectra of the mean high-pass image",
            about,
        ),
        "mean-of-spectra": spectra_figure(
            {one: (sums.num_images, sums.mean_of()) for one, sums in panels.items()},
            "Means of each high-pass image's spectrum",
            about,
        ),
    }
