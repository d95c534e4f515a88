"""Exact nearest rows by cosine similarity, at the speed of a matrix product.

A matrix product over a whole bank is fast, but it misorders rows whose similarities lie closer
together than its rounding. Its error has a rigorous bound, though. So it only names candidates:
every row that the bound does not rule out. Their similarity is then computed in float64, row by
row, and that number alone decides. Hence the answer does not depend on which other queries or
rows stood in the same product, nor on its precision, nor on the device that made it.
"""

from __future__ import annotations

from ufd_ray.detectors.search.centred_rows import CentredRows
from ufd_ray.detectors.search.coarse_rows import SingleRows
from ufd_ray.detectors.search.counts import SearchCounts
from ufd_ray.detectors.search.floors import Wanted
from ufd_ray.detectors.search.held import Held, shared
from ufd_ray.detectors.search.nearest_rows import Bank, nearest
from ufd_ray.detectors.search.pairs import Pairs
from ufd_ray.detectors.search.products import bounded_products
from ufd_ray.detectors.search.threads import divided, side_by_side
from ufd_ray.detectors.search.unit_rows import StoredRows, UnitRows

__all__ = [
    "Bank",
    "CentredRows",
    "Held",
    "Pairs",
    "SearchCounts",
    "SingleRows",
    "StoredRows",
    "UnitRows",
    "Wanted",
    "bounded_products",
    "divided",
    "nearest",
    "shared",
    "side_by_side",
]
