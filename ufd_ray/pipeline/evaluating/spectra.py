"""A second pass over some images of every set, without an encoder: sums travel, pixels do not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ufd_ray.images import Alignment, SpectrumSums
from ufd_ray.pipeline.evaluating.listed_sets import TEST_SET
from ufd_ray.pipeline.evaluating.sampled import Stratum
from ufd_ray.pipeline.flow import Flow
from ufd_ray.pipeline.placement import LIGHT
from ufd_ray.pipeline.reading import Inspection
from ufd_ray.pipeline.rows import pixel_batch

_IMAGES_AT_ONCE = 256
_SUMS: Any = pa.schema(
    [
        pa.field(TEST_SET, pa.string()),
        pa.field("label", pa.int8()),
        pa.field("num_images", pa.int64()),
        pa.field("num_small", pa.int64()),
        pa.field("high_pass", pa.large_binary()),
        pa.field("magnitudes", pa.large_binary()),
    ]
)


@dataclass(frozen=True)
class Spectra:
    """What was found of some images of every set.

    Attributes:
        size: side of the centre crops, pixels.
        sums: test set and label → of its images; those without any are not there.
        num_failed: images that could not be read.
        num_small: images that have a side shorter than the crop's: they have a black frame in it.
    """

    size: int
    sums: dict[Stratum, SpectrumSums]
    num_failed: int
    num_small: int


def mean_spectra(
    flow: Flow, manifest: str, positions: npt.NDArray[np.int64], num_images: int
) -> Spectra:
    """Read images once more, and sum up their spectra: 0.6 MB a set and class in 256 images.

    Crops are cut even where the encoder's preprocessing resizes, since resizing makes a spectrum
    anew.

    Args:
        flow: of the evaluation; encoders have no part in it.
        manifest: URI of its folder.
        positions: of the images, (n,).
        num_images: rows of the manifest.
    """
    print(f"{len(positions):,} images are read once more, for figures (or not: --no-figures)")
    size = flow.encoder.input_size
    alignment = flow.inspection.alignment if flow.inspection else None
    cropping = replace(
        flow,
        encoder=replace(flow.encoder, preprocess="crop"),
        inspection=Inspection(alignment=alignment),
        tally=None,
    )
    others = np.ones(num_images, bool)
    others[positions] = False
    rows = cropping.decode(cropping.read(manifest, others))
    summed = rows.map_batches(
        partial(sum_spectra, size=size, alignment=alignment),
        batch_size=_IMAGES_AT_ONCE,
        batch_format="pyarrow",
        num_cpus=LIGHT,
    )
    sums: dict[Stratum, SpectrumSums] = {}
    num_small = 0
    for table in summed.iter_batches(batch_size=None, batch_format="pyarrow"):
        for row in table.to_pylist():
            stratum, found = (row[TEST_SET], row["label"]), _sums_of(row, size)
            sums[stratum] = sums[stratum] + found if stratum in sums else found
            num_small += row["num_small"]
    there = {stratum: found for stratum, found in sums.items() if found.num_images}
    num_used = sum(found.num_images for found in there.values())
    return Spectra(size, there, len(positions) - num_used - num_small, num_small)


def sum_spectra(rows: Any, *, size: int, alignment: Alignment | None) -> Any:
    """Ray stage: pixels → a row for each set and class.

    Args:
        rows: `pa.Table` of `decode_images`, with `TEST_SET` and `label`.
        size: side of the crops, pixels.
        alignment: what images were made into before; None: they are as they came.

    Returns:
        `pa.Table` with `TEST_SET`, `label`, `num_images`, `num_small` (whose crops are larger than
        they are), and of the others `high_pass` and `magnitudes`, float64 as bytes.
    """
    pixels, there = pixel_batch(rows["pixels"], size)
    rows = rows.filter(pa.array(there))
    sides = np.stack([np.asarray(rows[name]) for name in ("width", "height")])
    small = sides.min(axis=0) < size
    if alignment is not None and alignment.size < size:
        small[:] = True
    names = np.array(rows[TEST_SET].to_pylist(), object)
    labels = np.asarray(rows["label"])
    found = []
    for name, label in dict.fromkeys(zip(names.tolist(), labels.tolist(), strict=True)):
        own = (names == name) & (labels == label)
        sums = SpectrumSums.of(pixels[own & ~small])
        found.append(
            {
                TEST_SET: name,
                "label": label,
                "num_images": sums.num_images,
                "num_small": int(np.count_nonzero(own & small)),
                "high_pass": sums.high_pass.tobytes(),
                "magnitudes": sums.magnitudes.tobytes(),
            }
        )
    return pa.Table.from_pylist(found, _SUMS)


def _sums_of(row: dict[str, Any], size: int) -> SpectrumSums:
    return SpectrumSums(
        row["num_images"],
        np.frombuffer(row["high_pass"]).reshape(size, size),
        np.frombuffer(row["magnitudes"]).reshape(size, -1),
    )
