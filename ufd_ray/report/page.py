"""The frame of every page: one self-contained file, no script, nothing loaded from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import html
import unicodedata

from ufd_ray.report.style import STYLE

LONGEST_NAME = 200
"""Characters of a stranger's name that are shown; of a longer one its beginning and its end."""

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title><style>{style}</style></head>
<body><main>
{body}
</main></body></html>
"""
# The one style sheet is named by its digest: no other would be heeded, were one smuggled in.
_POLICY = "; ".join(
    (
        "default-src 'none'",
        f"style-src 'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    )
)


def make_page(title: str, body: list[str]) -> str:
    """A whole page.

    Args:
        title: as plain text.
        body: as HTML; whatever is a stranger's in it has been escaped.
    """
    return _PAGE.format(title=escape(title), policy=_POLICY, style=STYLE, body="\n".join(body))


def escape(text: object) -> str:
    """Text as HTML that shows it."""
    return html.escape(str(text))


def name_of(text: str, longest: int = LONGEST_NAME) -> str:
    """A stranger's name as HTML: bounded, with what is invisible or turns text around made visible.

    Args:
        text: a URI, the name of a source, a file's.
        longest: characters that are shown.
    """
    return f"<bdi>{escape(plain_name(text, longest))}</bdi>"


def plain_name(text: str, longest: int = LONGEST_NAME) -> str:
    """Likewise, but as plain text: where no markup can stand."""
    if len(text) > longest:
        half = (longest - 1) // 2
        text = f"{text[:half]}…{text[-half:]}"
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    # Controls, formats (that turn the direction among them), surrogates, what has no meaning.
    if unicodedata.category(character).startswith("C"):
        return character.encode("unicode_escape", "backslashreplace").decode()
    return character


def percent(share: float) -> str:
    """A share as words: `12.3 %`."""
    return f"{100 * share:.1f} %"
