"""Every image looked at once before training: who trains, who validates, who cannot be read."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ufd_ray.baselines import Baseline
from ufd_ray.errors import UfdError
from ufd_ray.images import DecodeLimits
from ufd_ray.pipeline.banking.plan import BankPlan
from ufd_ray.pipeline.flow import append_rows, read_manifest
from ufd_ray.pipeline.progress import progress_lines, start_tally
from ufd_ray.pipeline.reading import fetch_images, light_stages
from ufd_ray.pipeline.training.pictures import TRAIN, VAL, Wanted, look_at_images
from ufd_ray.schema import FAKE, OFFSET, REAL, REJECTS
from ufd_ray.settings import TrainBaselineSettings
from ufd_ray.storage import FetchLimits, Parts, StorageOptions

_ROWS_AT_ONCE = 50_000
_KEPT = ("uri", "member", OFFSET.name, "etag", "size_bytes", "last_modified", "label", "split")


@dataclass(frozen=True, eq=False)
class Surveyed:
    """The images of a job.

    Attributes:
        images: `pa.Table` of those that can be read, in the manifest's order: what fetching wants
            of them, `label` and `split`; some 300 bytes an image.
        rejected: `pa.Table` of `REJECTS`: the others.
        counts: `images`, `failed`, `by_error_code`; `label` and `source` of each split.
    """

    images: Any
    rejected: Any
    counts: dict[str, Any]

    @property
    def sha256(self) -> str:
        """Of `images`, 64 hex digits: who trains on the same ones may go on with what there is."""
        digest = hashlib.sha256()
        for batch in self.images.to_batches(max_chunksize=_ROWS_AT_ONCE):
            digest.update(batch.serialize())
        return digest.hexdigest()


def survey_images(
    settings: TrainBaselineSettings,
    baseline: Baseline,
    manifest: str,
    parts: str,
    num_images: int,
    storage: StorageOptions,
) -> Surveyed:
    """Read every image once, so that each epoch's order is over those that can be trained on.

    Args:
        settings: the job's.
        baseline: whose pixels are made.
        manifest: URI of the labelled images.
        parts: URI of a folder for what is found.
        num_images: rows of the manifest.
        storage: how it is reached.

    Raises:
        UfdError: one side lacks a class, or rows are lost.
    """
    tally, limits = start_tally(), FetchLimits.of(settings)
    plan = BankPlan(settings.share_that_validates, 0, settings.seed)
    with progress_lines(tally, "decode", num_images, settings.progress_s):
        rows = light_stages(
            read_manifest(manifest, storage),
            partial(fetch_images, storage=storage, limits=limits, tally=tally),
            partial(
                look_at_images,
                plan=plan,
                wanted=Wanted.of(baseline, settings.seed),
                limits=DecodeLimits.of(settings),
                tally=tally,
            ),
        )
        append_rows(rows, parts, storage)
    found = Parts(parts, manifest, storage)
    found.check_accounts(num_images)
    surveyed = sum_up(found.ranges(num_images, _ROWS_AT_ONCE))
    require_both_classes(surveyed)
    return surveyed


def sum_up(tables: Any) -> Surveyed:
    """What was found of all images.

    Args:
        tables: `pa.Table`s of `look_at_images`, in order; one at least.
    """
    kept, rejected = [], []
    counts = {
        split: {name: Counter[str]() for name in ("label", "source")} for split in (TRAIN, VAL)
    }
    for rows in tables:
        sound = pc.is_null(rows["error_code"])
        good, bad = rows.filter(sound), rows.filter(pc.invert(sound))
        status = pa.array(["error"] * len(bad), pa.string())
        schema = pa.schema(REJECTS)
        rejected.append(bad.append_column("status", status).select(schema.names).cast(schema))
        for split, counters in counts.items():
            own = good.filter(pc.equal(good["split"], split))
            for name in counters.keys() & set(own.column_names):
                of_column = own[name].drop_null().value_counts().to_pylist()
                counters[name].update({str(one["values"]): one["counts"] for one in of_column})
        kept.append(good.select(list(_KEPT)))
    images, failed = pa.concat_tables(kept).combine_chunks(), pa.concat_tables(rejected)
    codes = failed["error_code"].value_counts().to_pylist()
    return Surveyed(
        images,
        failed,
        {
            "images": len(images) + len(failed),
            "failed": len(failed),
            "by_error_code": {one["values"]: one["counts"] for one in codes},
            **{split: {name: dict(c) for name, c in of.items()} for split, of in counts.items()},
        },
    )


def require_both_classes(surveyed: Surveyed) -> None:
    """See that images of both classes train, and validate.

    Raises:
        UfdError: they do not.
    """
    labels, splits = (np.asarray(surveyed.images[name].to_pylist()) for name in ("label", "split"))
    for split, does in ((TRAIN, "train"), (VAL, "validate")):
        of_split = labels[splits == split]
        num_real, num_fake = (int(np.count_nonzero(of_split == label)) for label in (REAL, FAKE))
        if not (num_real and num_fake):
            raise UfdError(
                f"of the images that can be read, {num_real:,} real and {num_fake:,} fake ones"
                f" {does}; both are needed (--val-share, --val-input or a column `split` decide)"
            )
