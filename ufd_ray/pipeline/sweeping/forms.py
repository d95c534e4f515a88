"""The sweeps over forms of the test images: which forms, and what detectors say of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import torch

from ufd_ray.detectors import OVERFLOWS
from ufd_ray.images import Form
from ufd_ray.pipeline.detecting import DetectGenerated
from ufd_ray.pipeline.evaluating.scores import FORM_SCORES
from ufd_ray.pipeline.rows import put_errors
from ufd_ray.pipeline.sweeping.scoring import scores_of_detected
from ufd_ray.settings import EvaluateSettings, PreprocessMode
from ufd_ray.storage import embedding_matrix


@dataclass(frozen=True)
class SweptForm:
    """A setting of a sweep over forms.

    Attributes:
        sweep: key of `KINDS`.
        setting: its name.
        form: what is made of an image; None: it is left as it is, and embedded once for all.
    """

    sweep: str
    setting: str
    form: Form | None


def swept_forms(settings: EvaluateSettings, mode: PreprocessMode) -> list[SweptForm]:
    """All settings of the sweeps over forms that a job asks for, in order.

    Args:
        settings: the job's.
        mode: the preprocessing of its encoder.
    """
    found = []
    if settings.sweep_jpeg:
        found.append(SweptForm("jpeg", "none", None))
        found += [SweptForm("jpeg", str(q), Form(quality=q)) for q in settings.sweep_qualities]
    if settings.sweep_blur:
        found.append(SweptForm("blur", "0", None))
        found += [SweptForm("blur", str(s), Form(sigma=s)) for s in settings.sweep_sigmas]
    if settings.sweep_preprocess:
        other: PreprocessMode = "resize" if mode == "crop" else "crop"
        found.append(SweptForm("preprocess", f"{mode} (the bank's)", None))
        found.append(SweptForm("preprocess", other, Form(mode=other)))
    return found


class DetectForms(DetectGenerated):
    """Ray stage: as `DetectGenerated`, and `view_embeddings` → `FORM_SCORES`.

    An image of one of whose forms nothing can be said is an error as a whole: all settings of a
    sweep are judged by the same images.

    Args:
        ks: how many neighbours vote.
        arguments: those of `DetectGenerated`.
    """

    def __init__(self, *, ks: Sequence[int], **arguments: Any) -> None:
        super().__init__(**arguments)
        self._ks = ks

    def __call__(self, rows: Any) -> Any:
        """Score a batch; the rest as for `DetectGenerated`.

        Args:
            rows: `pa.Table` with `embedding`, and `view_embeddings`, as many of every image that
                did not fail.
        """
        if self._failure is not None:
            raise self._failure
        torch.set_num_threads(self._num_threads)
        forms = rows["view_embeddings"].combine_chunks()
        valid = np.asarray(rows["embedding"].is_valid())
        scores = self._scores(forms.filter(pa.array(valid)), int(valid.sum()))
        sound = np.isfinite(scores).all(axis=1)
        failing = valid.copy()
        failing[valid] = ~sound
        rows = rows.drop_columns(["view_embeddings"])
        if failing.any():
            rows = put_errors(rows, [OVERFLOWS if bad else None for bad in failing])
            kept = pc.if_else(
                pa.array(failing), pa.scalar(None, rows["embedding"].type), rows["embedding"]
            )
            rows = rows.set_column(rows.column_names.index("embedding"), "embedding", kept)
        counts = np.where(valid, scores.shape[1], 0)
        ends = pa.array(np.cumsum([0, *counts]), pa.int32())
        lists = pa.ListArray.from_arrays(ends, pa.array(scores.reshape(-1), pa.float32()))
        return super().__call__(rows.append_column(FORM_SCORES, lists))

    def _scores(self, forms: Any, num_images: int) -> npt.NDArray[np.float32]:
        """(images, forms × detectors)."""
        embeddings = embedding_matrix(forms.flatten())
        labels = None if self._evidence is None else np.asarray(self._evidence["label"], np.int8)
        found = scores_of_detected(self._detector.detect(embeddings), labels, self._ks)
        columns = np.stack(list(found.values()), axis=1)
        # An empty batch does not say how many forms there are; nor does anyone ask.
        return columns.reshape(num_images, -1) if num_images else np.empty((0, 0), np.float32)


def scores_of_forms(
    column: Any, num_forms: int, names: Sequence[str]
) -> list[dict[str, npt.NDArray[np.float32]]]:
    """What detectors said of each form.

    Args:
        column: `FORM_SCORES` of n images, none of which failed.
        num_forms: of each image.
        names: of the detectors' columns, in order.

    Returns:
        For each form (n,) by column.
    """
    flat = np.asarray(column.combine_chunks().flatten(), np.float32)
    scores = flat.reshape(len(column), num_forms, len(names))
    return [
        {name: scores[:, form, place] for place, name in enumerate(names)}
        for form in range(num_forms)
    ]
