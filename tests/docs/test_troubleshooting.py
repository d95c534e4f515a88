"""The error texts of the page are those that the code prints."""

from __future__ import annotations

import ast
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

PAGE = "docs/troubleshooting.md"
RAYS = (
    "dashboard/modules/job/job_manager.py",
    "dashboard/modules/job/job_supervisor.py",
    "_private/runtime_env/pip.py",
    "_private/runtime_env/dependency_utils.py",
)
GAP = "…"


def quoted() -> tuple[list[str], list[str]]:
    """Ours and Ray's: the first column of the tables."""
    ours, rays = (ROOT / PAGE).read_text().split("## From Ray")
    return tuple(re.findall(r"^\| `([^`]+)` \|", part, re.MULTILINE) for part in (ours, rays))  # type: ignore[return-value]


@cache
def texts(*files: Path) -> list[str]:
    """Every text in these files; what an f-string fills in is a gap."""
    found = []
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.JoinedStr):
                found.append("".join(_piece(value) for value in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return found


def _piece(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else GAP


def is_said(text: str, said: list[str]) -> bool:
    """Whether one of the texts has the pieces between the gaps, in order."""
    pieces = [piece.strip() for piece in text.split(GAP) if piece.strip()]
    pattern = re.compile(".*".join(map(re.escape, pieces)), re.DOTALL)
    return any(pattern.search(one) for one in said)


def our_texts() -> list[str]:
    return texts(*sorted((ROOT / "ufd_ray").rglob("*.py")))


@pytest.mark.parametrize("text", quoted()[0])
def test_text_is_ours(text: str) -> None:
    assert is_said(text, our_texts())


@pytest.mark.parametrize("text", quoted()[1])
def test_text_is_rays(text: str) -> None:
    (folder,) = find_spec("ray").submodule_search_locations  # type: ignore[union-attr,misc]
    assert is_said(text, texts(*(Path(folder, name) for name in RAYS)))


def test_a_text_that_nobody_says_would_be_found() -> None:
    assert len(quoted()[0]) > 30
    assert len(quoted()[1]) > 2
    assert not is_said("--output …: not writeable", our_texts())
    assert not is_said("there is no bucket such", our_texts())
