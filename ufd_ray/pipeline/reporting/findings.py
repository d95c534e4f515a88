"""What a run's page tells beyond its record, all of it together."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Any

from ufd_ray.pipeline.record import RunRecord
from ufd_ray.pipeline.reporting.cards import make_galleries
from ufd_ray.pipeline.reporting.earlier import find_earlier
from ufd_ray.pipeline.reporting.survey import Survey
from ufd_ray.pipeline.reporting.thumbnails import Looking
from ufd_ray.report import Findings, Gallery, count_pictures
from ufd_ray.settings import ScoreSettings
from ufd_ray.storage import RunFolder, StorageOptions, manifest_ranges, read_range


def find(settings: ScoreSettings, folder: RunFolder, record: RunRecord, seen: Survey) -> Findings:
    """Gather it, and fetch what is to be shown.

    Args:
        settings: the job's.
        folder: the run's.
        record: what is known of it so far.
        seen: the pass over its rows.
    """
    earlier = find_earlier(settings.output, record.content, folder.options)
    if not settings.gallery:
        return Findings(seen.sources, seen.agreement, earlier)
    galleries = _galleries(settings, folder, seen.picks())
    if num := count_pictures(galleries):
        print(f"report.html: {num:,} thumbnails of images (--no-gallery leaves them out)")
    return Findings(seen.sources, seen.agreement, earlier, galleries)


def _galleries(
    settings: ScoreSettings, folder: RunFolder, picks: dict[str, list[dict[str, Any]]]
) -> tuple[Gallery, ...]:
    if settings.input_kind != "images":
        return make_galleries(picks, {}, None, "this run read no images", settings.bank)
    members = {row["position"] for rows in picks.values() for row in rows if row["member"]}
    offsets = _offsets(folder.manifest, members, folder.options)
    with Looking(settings, folder.options) as looking:
        return make_galleries(picks, offsets, looking, "", settings.bank)


def _offsets(manifest: str, positions: AbstractSet[int], storage: StorageOptions) -> dict[int, int]:
    """Where members of tars begin, by position; a manifest is read only where it tells of these."""
    found: dict[int, int] = {}
    if not positions:
        return found
    for part in manifest_ranges(manifest, storage):
        inside = sorted(p for p in positions if 0 <= p - part.position < part.num_rows)
        if not inside:
            continue
        offsets = read_range(part, storage)["offset"]
        at = {position: offsets[position - part.position].as_py() for position in inside}
        found |= {position: offset for position, offset in at.items() if offset is not None}
    return found
