"""Names of strangers in files that people open in a spreadsheet."""

from __future__ import annotations

from typing import Any

import pyarrow.compute as pc

# A spreadsheet takes a cell that begins with one of these signs for a formula, and whose names
# these are is unknown. A cell may begin wherever a line can be cut, not at the comma alone, and
# behind quotes and white space. The mark is one of the signs: each that stands at such a place gets
# one, so that taking one away at each such place gives every name back.
_SIGNS = r"""(^|[\x00-\x20\x7f-\x{a0};,|"])([=+@＝＋－＠'-])"""

MARKED = "regexp_replace({{0}}, '{}', '\\1''\\2', 'g')".format(
    _SIGNS.replace("'", "''").replace("{", "{{").replace("}", "}}")
)
"""SQL of DuckDB for a text that is no formula; `{0}` is the column."""


def marked(texts: Any) -> Any:
    """The same of an Arrow column of strings."""
    return pc.replace_substring_regex(texts, _SIGNS, r"\1'\2")
