"""Links between the pages lead somewhere."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from tests.docs.pages import PAGES, ROOT, anchors, links

ALL = [*PAGES, "DESIGN.md", "benchmarks/RESULTS.md"]


@pytest.mark.parametrize("page", ALL)
def test_links_lead_somewhere(page: str) -> None:
    for target in links(page):
        if target.startswith(("https://", "http://")):
            continue
        path, _, anchor = target.partition("#")
        place = (ROOT / PurePosixPath(page).parent / path).resolve() if path else ROOT / page
        assert place.exists(), f"{page} → {target}: no such file"
        if anchor:
            name = str(place.relative_to(ROOT))
            assert anchor in anchors(name), f"{page} → {target}: no such heading"


def test_every_page_can_be_reached() -> None:
    """By some path from the README."""
    reached, pending = set[str](), ["README.md"]
    while pending:
        page = pending.pop()
        if page in reached:
            continue
        reached.add(page)
        for target in links(page):
            place = (ROOT / PurePosixPath(page).parent / target.partition("#")[0]).resolve()
            if place.suffix == ".md" and place.is_relative_to(ROOT) and place.exists():
                pending.append(str(place.relative_to(ROOT)))
    assert set(PAGES) <= reached
