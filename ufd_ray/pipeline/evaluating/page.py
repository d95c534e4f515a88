"""`evaluation.html`: what was found, its figures where there are some, and the worst mistakes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ufd_ray.evaluation import Row, ScoreColumn, SetPlan
from ufd_ray.pipeline.comparing.heat import heat_by
from ufd_ray.pipeline.evaluating.mistakes import show_mistakes
from ufd_ray.pipeline.evaluating.scores import Collected
from ufd_ray.pipeline.evaluating.scoring import Judged
from ufd_ray.pipeline.reporting.thumbnails import Looking
from ufd_ray.report import Drawn, Gallery, count_pictures, render_evaluation
from ufd_ray.storage import PublishedFile, StorageOptions, join_uri, read_object, write_object

PAGE = "evaluation.html"
_MOST_BYTES = 512 * 2**10
_MOST_OF_ALL = 4 * 2**20


def write_page(
    judged: Judged,
    document: Mapping[str, Any],
    rows: Sequence[Row],
    told: Sequence[str],
    sets: SetPlan,
    collected: Collected,
    column: ScoreColumn,
) -> dict[str, Any]:
    """Write the page.

    Args:
        judged: what was evaluated.
        document: of `evaluation.json`, with all files that are there.
        rows: all figures.
        told: what the terminal says, a line each.
        sets: which images were used.
        collected: what was said of them.
        column: the detector whose mistakes are shown.

    Returns:
        What `evaluation.json` says of its file.

    Raises:
        StorageError: it cannot be written, or a figure not be read.
    """
    settings, storage = judged.settings, judged.storage
    galleries: tuple[Gallery, ...] = ()
    if settings.gallery:
        with Looking(settings, storage) as looking:
            galleries = show_mistakes(sets, collected, column, looking)
            for one in judged.compared:
                if one.baseline.has_heat:
                    heat = heat_by(one, looking, storage)
                    galleries += show_mistakes(sets, collected, one.column, looking, heat)
        if num := count_pictures(galleries):
            print(f"{PAGE}: {num:,} thumbnails of images (--no-gallery leaves them out)")
    drawn = _drawn(settings.output, document["files"], storage)
    page = render_evaluation(document, [asdict(row) for row in rows], told, drawn, galleries)
    data = page.encode("utf-8", "backslashreplace")
    write_object(join_uri(settings.output, PAGE), data, storage)
    return PublishedFile(PAGE, 0, hashlib.sha256(data).hexdigest(), len(data)).to_dict()


def _drawn(root: str, files: Sequence[Mapping[str, Any]], storage: StorageOptions) -> list[Drawn]:
    """The figures among the files, as far as there is room for them on a page."""
    left, drawn = _MOST_OF_ALL, []
    for file in files:
        name = file["name"]
        if not (name.startswith("figures/") and name.endswith(".svg")):
            continue
        fits = file["num_bytes"] <= min(left, _MOST_BYTES)
        svg = read_object(join_uri(root, *name.split("/")), storage) if fits else None
        left -= file["num_bytes"] if fits else 0
        drawn.append(Drawn(name, svg))
    return drawn
