"""What `encoder.py` writes: a Markdown table, and a JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any


@dataclass
class Figure:
    """One recipe's times in one batch size.

    Attributes:
        name: the recipe.
        num_images: in a batch.
        copies: how its pixels come to the device; empty: they lie there.
        flops: operations an image.
        rate: FLOP/s of the machine's square product.
        seconds: of a batch, one number a turn.
        deviation: from embeddings in fp32: `one_minus_cosine` and `relative`, the largest.
        left_out: why there are no times; empty: there are.
        recipe: the recipe itself, where it takes turns with others.
        fed: the recipe itself, where it takes turns with other ways to copy.
        notes: what else was seen.
    """

    name: str
    num_images: int
    copies: str = ""
    flops: int = 0
    rate: float = 0
    seconds: list[float] = field(default_factory=list)
    deviation: dict[str, Any] = field(default_factory=dict)
    left_out: str = ""
    recipe: Any = None
    fed: Any = None
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def per_image(self) -> float:
        """Seconds, the median."""
        return median(self.seconds) / self.num_images

    @property
    def achieved(self) -> float:
        """FLOP/s."""
        return self.flops / self.per_image

    def cells(self) -> list[str]:
        """Of its line in the table."""
        head = [self.name, f"{self.num_images}", self.copies or "-"]
        if self.left_out:
            return [*head, "left out", "", "", "", "", ""]
        worst, least = self.num_images / max(self.seconds), self.num_images / min(self.seconds)
        share = f"{self.achieved / self.rate:.1%}" if self.rate else ""
        far = self.deviation
        return [
            *head,
            f"{1 / self.per_image:,.1f}",
            f"{worst:,.1f} to {least:,.1f}",
            f"{self.achieved / 1e12:.2f}",
            share,
            f"{far['one_minus_cosine']:.1e}" if far else "",
            f"{far['relative']:.4f}" if far else "",
        ]

    def __str__(self) -> str:
        return " | ".join(self.cells())

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        plain = {k: v for k, v in vars(self).items() if k not in ("recipe", "fed")}
        if self.seconds:
            plain["images_per_s"] = 1 / self.per_image
            plain["share_of_product"] = self.achieved / self.rate if self.rate else None
        return plain


def table(figures: Sequence[Figure]) -> list[str]:
    """One line a recipe, batch size and way to copy; medians, and the slowest and fastest turn."""
    heads = ["recipe", "batch", "copies", "images/s", "from", "TFLOP/s", "share of product"]
    heads += ["1 − cosine", "relative error"]
    lines = ["| " + " | ".join(heads) + " |", "|---|---:|---" + "|---:" * (len(heads) - 3) + "|"]
    return [*lines, *("| " + " | ".join(figure.cells()) + " |" for figure in figures)]


def remarks(figures: Sequence[Figure]) -> Iterator[str]:
    for figure in figures:
        where = f"- {figure.name}, {figure.num_images}"
        if figure.left_out:
            yield f"{where}: left out, {figure.left_out}"
        elif figure.notes:
            yield f"{where}: {', '.join(f'{name} {said}' for name, said in figure.notes.items())}"


def write(folder: Path, about: dict[str, Any], figures: list[Figure]) -> None:
    """`encoder.md` and `encoder.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    product, own = about["product"], about["own"]
    said = [f"- {k}: {v}" for k, v in about.items() if k not in ("product", "own_products", "own")]
    said.append(
        f"- {product['precision']} product {product['shape']}: {product['flops'] / 1e12:.2f}"
        " TFLOP/s"
    )
    said += [
        f"- {one['times']} times {one['shape']} with a bias: {one['flops'] / 1e12:.2f} TFLOP/s"
        for one in about["own_products"]
    ]
    if own:
        said.append(
            f"- these alone: {own['rate'] / 1e12:.2f} TFLOP/s, {own['images_per_s']:,.1f} images/s"
        )
    lines = [*said, "", *table(figures), "", *remarks(figures)]
    (folder / "encoder.md").write_text("\n".join(lines) + "\n")
    content = {"machine": about, "figures": [figure.to_dict() for figure in figures]}
    (folder / "encoder.json").write_text(json.dumps(content, indent=1))
