from __future__ import annotations

import base64
import io
import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from tests.unit.report.test_run_page import COUNTS, HOSTILE, RUN, Page
from ufd_ray.report import (
    NEIGHBOR_SIDE,
    SIDE,
    Agreement,
    Card,
    Earlier,
    Findings,
    Gallery,
    Histogram,
    Neighbor,
    Picture,
    SourceCounts,
    count_pictures,
    make_thumbnail,
    render_run,
)
from ufd_ray.report.agreement import tell_agreement
from ufd_ray.report.gallery import tell_gallery
from ufd_ray.report.thumbnail import MOST_BYTES

MOST_OF_A_PAGE = 3 * 2**19
"""1.5 MiB, as docs/runs.md says."""
HUGE = "\U000e0001" * 2000  # what is shown of it takes ten times as many characters


def checkered(side: int) -> npt.NDArray[np.uint8]:
    """Noise of full contrast: nothing compresses worse."""
    return 255 * np.random.default_rng(0).integers(0, 2, (side, side, 3), np.uint8)


def card(name: str = "s3://b/a.jpg", **changes: Any) -> Card:
    near = Neighbor("s3://bank/n.jpg", 1, "sd", 0.125, Picture(why_not="not found"))
    fields = {"said": ("called fake", "probe 0.9"), "picture": Picture(), "neighbors": (near,) * 3}
    return Card(name=name, **{**fields, **changes})


@pytest.mark.parametrize("side", [SIDE, NEIGHBOR_SIDE])
def test_a_thumbnail_is_small_whatever_it_shows(side: int) -> None:
    for pixels in (checkered(side), np.full((side, side, 3), 200, np.uint8)):
        made = make_thumbnail(pixels)
        assert len(made) <= MOST_BYTES[side]
        with Image.open(io.BytesIO(made)) as image:
            assert (image.format, image.size, image.mode) == ("JPEG", (side, side), "RGB")
            assert not set(image.info) - {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
            assert abs(np.asarray(image, np.int64).mean() - pixels.mean()) < 12


def test_other_sides_are_refused() -> None:
    with pytest.raises(ValueError, match="squares of 128 or 64"):
        make_thumbnail(np.zeros((100, 100, 3), np.uint8))


def test_a_card_shows_the_image_and_its_evidence() -> None:
    jpeg = make_thumbnail(checkered(SIDE))
    made = "".join(tell_gallery(Gallery("Odd", "Some.", (card(picture=Picture(jpeg)),))))
    (data,) = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', made)
    assert base64.b64decode(data) == jpeg
    page = Page(made)
    assert page.open == []
    assert ("alt", "the image, called fake") in page.attributes
    assert "fake from sd , distance 0.125; no thumbnail: not found s3://bank/n.jpg" in page.text


def test_names_are_text_and_never_links() -> None:
    near = Neighbor(HOSTILE, 0, HOSTILE, 0.5, Picture(why_not=HOSTILE))
    hostile = card(HOSTILE, said=(HOSTILE,), picture=Picture(why_not=HOSTILE), neighbors=(near,))
    page = Page("".join(tell_gallery(Gallery(HOSTILE, HOSTILE, (hostile,)))))
    assert page.open == []
    assert page.text.count("<img src=x onerror=alert(1)>") == 7
    assert {"img", "a", "script"}.isdisjoint(page.tags)
    assert not any(name.startswith(("on", "href")) for name, _ in page.attributes)


def test_a_gallery_without_images_is_no_section() -> None:
    assert tell_gallery(Gallery("Odd", "Some.", ())) == []


def test_thumbnails_are_counted() -> None:
    shown = Picture(b"jpeg")
    near = Neighbor("n", 0, None, 0.0, shown)
    galleries = [Gallery("", "", (card(), card(picture=shown, neighbors=(near, near))))]
    assert count_pictures(galleries) == 3


def test_a_page_is_small_whatever_it_shows() -> None:
    image, neighbor = (Picture(make_thumbnail(checkered(side))) for side in (SIDE, NEIGHBOR_SIDE))
    near = Neighbor(HUGE, 0, HUGE, 2.0, neighbor)
    full = card(HUGE, picture=image, neighbors=(near,) * 3)
    galleries = tuple(Gallery("Odd", "Some.", (full,) * num) for num in (12, 12, 12, 6))
    sources = SourceCounts()
    sources.add([(f"{n}{HUGE}", 10**9, 10**9, 10**9) for n in range(100)])
    agreement = Agreement(0.5, "vote", 0.5)
    agreement.counts[:] = 10**9
    found = Findings(sources, agreement, Earlier(HUGE, HUGE[:9], COUNTS, 5), galleries)
    made = render_run(RUN, Histogram(counts=COUNTS.counts * 10**7), found)
    assert len(made.encode()) < MOST_OF_A_PAGE
    assert Page(made).open == []


def test_agreement_is_counted_by_both() -> None:
    agreement = Agreement(0.5, "vote", 0.25)
    agreement.add(np.array([True, True, False, True]), np.array([True, False, False, False]))
    text = Page("".join(tell_agreement(agreement))).text
    assert "disagree on 2 of 4 images (50.0 %)" in text
    assert "above a vote of 0.25" in text
    assert "real by the probe 1 0 fake by the probe 2 1" in text
    assert tell_agreement(None) == tell_agreement(Agreement(0.5, "vote", 0.5)) == []


def test_headings_come_in_order_and_have_names_of_their_own() -> None:
    found = Findings(SourceCounts(), None, "There is none.", (Gallery("Odd", "Some.", (card(),)),))
    page = Page(render_run(RUN, COUNTS, found))
    headings = [tag for tag in page.tags if re.fullmatch("h[1-6]", tag)]
    assert headings[0] == "h1"
    assert set(headings[1:]) == {"h2"}
