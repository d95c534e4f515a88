"""What a bank wants of its images: on which side each is, and how many views of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ufd_ray.images import Views, view_key
from ufd_ray.settings import BuildBankSettings


@dataclass(frozen=True)
class BankPlan:
    """How labelled images are dealt with on their way into a bank.

    Attributes:
        val_share: share of the images without a split that validate, 0–1.
        num_views: augmented views of an image of split `train`; one of split `val`, if any.
        seed: of their draws.
    """

    val_share: float
    num_views: int
    seed: int

    @classmethod
    def of(cls, settings: BuildBankSettings) -> BankPlan:
        """The plan that a job's settings ask for."""
        return cls(settings.share_that_validates, settings.views, settings.seed)

    @property
    def num_pictures(self) -> int:
        """Squares of pixels that an image becomes, at most: view 0 and the augmented ones."""
        return 1 + self.num_views

    def with_split(self, rows: Any) -> Any:
        """Give every image its side, for good: the views of it depend on that.

        Args:
            rows: `pa.Table` with `content_hash`, perhaps with `split`.

        Returns:
            The same rows with `split`; null where none is given and there are no bytes to draw by.
        """
        drawn = draw_splits(rows["content_hash"], self.val_share)
        if "split" not in rows.column_names:
            return rows.append_column("split", drawn)
        place = rows.column_names.index("split")
        return rows.set_column(place, "split", pc.coalesce(rows["split"], drawn))

    def views(self, rows: Any) -> list[Views | None] | None:
        """Which augmented views of each image are made; None: none of any.

        Args:
            rows: `pa.Table` with `content_hash` and `split`, n rows.
        """
        if not self.num_views:
            return None
        pairs = zip(rows["content_hash"].to_pylist(), rows["split"].to_pylist(), strict=True)
        return [
            # One of what validates: its transform leaves hardly anything to chance.
            Views(1 if split == "val" else self.num_views, split, view_key(content_hash, self.seed))
            if content_hash
            else None
            for content_hash, split in pairs
        ]


def draw_splits(content_hashes: Any, val_share: float) -> Any:
    """Draw each image's side.

    The bytes decide: the same image falls on the same side under any name, in any company.

    Args:
        content_hashes: SHA-256 in hex; null where there is none.
        val_share: share of `val`, 0–1.

    Returns:
        `train` or `val` for each; null where there is no hash.
    """
    drawn = [
        None if digits is None else "val" if int(digits[:8], 16) / 2**32 < val_share else "train"
        for digits in content_hashes.to_pylist()
    ]
    return pa.array(drawn, pa.string())
