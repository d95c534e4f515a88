from __future__ import annotations

import base64
import hashlib
import re

import pytest

from tests.unit.report.test_run_page import HOSTILE, Page
from ufd_ray.report.page import make_page, name_of
from ufd_ray.report.style import STYLE


def luminance(color: str) -> float:
    """Relative luminance (WCAG 2.2) of `#rgb` or `#rrggbb`."""
    digits = color.lstrip("#")
    digits = "".join(2 * d for d in digits) if len(digits) == 3 else digits
    channels = [int(digits[n : n + 2], 16) / 255 for n in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), [("ink", "page"), ("soft", "page"), ("ink", "box")])
def test_text_can_be_read(scheme: int, ink: str, ground: str) -> None:
    colors = [dict(re.findall(r"--(\w+): (#\w+)", part)) for part in STYLE.split("@media", 2)[:2]]
    assert contrast(colors[scheme][ink], colors[scheme][ground]) >= 4.5


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000", "#ffffff") == pytest.approx(21)
    assert contrast("#777", "#fff") == pytest.approx(4.48, abs=0.01)


def test_the_policy_names_the_one_style_sheet_and_lets_nothing_else_in() -> None:
    made = make_page("A", [])
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', made)
    (style,) = re.findall(r"<style>(.*)</style>", made, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules == {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_a_hostile_title_stays_text() -> None:
    page = Page(make_page(HOSTILE, []))
    assert (page.open, "img" in page.tags) == ([], False)


def test_what_turns_text_around_is_made_visible() -> None:
    assert name_of("a\u202egpj.exe\n\x00") == "<bdi>a\\u202egpj.exe\\n\\x00</bdi>"
    assert name_of("ж" * 300) == f"<bdi>{'ж' * 99}…{'ж' * 99}</bdi>"
