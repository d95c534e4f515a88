"""`evaluation.html`: what was found, its figures where there are some, and the worst mistakes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ufd_ray.pipeline.comparing.heat import heat_by
from ufd_ray.pipeline.evaluating.evaluation import Evaluation
from ufd_ray.pipeline.evaluating.folded_tables import paper_tables, short_title, sweep_tables
from ufd_ray.pipeline.evaluating.judgement import Judgement
from ufd_ray.pipeline.evaluating.mistakes import show_mistakes
from ufd_ray.pipeline.reporting.thumbnails import Looking
from ufd_ray.report import Drawn, Gallery, count_pictures, render_evaluation
from ufd_ray.storage import PublishedFile, StorageOptions, join_uri, read_object, write_object

PAGE = "evaluation.html"
_ROOM = {"svg": (512 * 2**10, 4 * 2**20), "png": (2 * 2**20, 4 * 2**20)}
"""Most bytes of one figure, and of all: as vectors, else as pixels, which browsers draw at once."""


def write_page(
    evaluation: Evaluation, document: Mapping[str, Any], found: Judgement
) -> dict[str, Any]:
    """Write the page; the mistakes on it are those of the first detector.

    Args:
        evaluation: what was evaluated.
        document: of `evaluation.json`, with all files that are there.
        found: what came of it.

    Returns:
        What `evaluation.json` says of its file.

    Raises:
        StorageError: it cannot be written, or a figure not be read.
    """
    settings, storage, names = (
        evaluation.settings,
        evaluation.storage,
        [c.name for c in found.columns],
    )
    galleries: tuple[Gallery, ...] = ()
    if settings.gallery:
        with Looking(settings, storage) as looking:
            sets, collected = found.sets, found.collected
            galleries = show_mistakes(sets, collected, found.columns[0], looking)
            for one in evaluation.compared:
                if one.baseline.has_heat:
                    heat = heat_by(one, looking, storage)
                    galleries += show_mistakes(sets, collected, one.column, looking, heat)
        if num := count_pictures(galleries):
            print(f"{PAGE}: {num:,} thumbnails of images (--no-gallery leaves them out)")
    drawn = _drawn(settings.output, document["files"], storage)
    page = render_evaluation(
        document,
        [asdict(row) for row in found.rows],
        found.remarks(),
        drawn,
        galleries,
        titles={name: short_title(name) for name in names},
        beside=paper_tables(found.rows, names),
        varied=sweep_tables(found.sweeps),
    )
    data = page.encode("utf-8", "backslashreplace")
    write_object(join_uri(settings.output, PAGE), data, storage)
    return PublishedFile(PAGE, 0, hashlib.sha256(data).hexdigest(), len(data)).to_dict()


def _drawn(root: str, files: Sequence[Mapping[str, Any]], storage: StorageOptions) -> list[Drawn]:
    """The figures among the files: as vectors, else as pixels, as far as there is room."""
    sizes = {file["name"]: file["num_bytes"] for file in files if _is_figure(file["name"])}
    left = {kind: of_all for kind, (_, of_all) in _ROOM.items()}
    drawn = []
    for figure in dict.fromkeys(name.rpartition(".")[0] for name in sizes):
        for kind, (most, _) in _ROOM.items():
            name = f"{figure}.{kind}"
            if name in sizes and sizes[name] <= min(most, left[kind]):
                left[kind] -= sizes[name]
                drawn.append(Drawn(name, read_object(join_uri(root, *name.split("/")), storage)))
                break
        else:
            drawn.append(Drawn(figure, None))
    return drawn


def _is_figure(name: str) -> bool:
    return name.startswith("figures/") and name.rpartition(".")[2] in _ROOM
