"""The security page: what it names exists, and what it says of files is so."""

from __future__ import annotations

import re

import pytest

from tests.cluster.policies import BUCKETS, ROLES
from tests.cluster.policies import FOLDER as POLICIES

ROOT = POLICIES.parents[1]
NAMED = re.compile(r"`((?:ufd_ray|tests|jobs|cluster)/[\w./-]*)(?:::(\w+))?`")


@pytest.fixture(scope="module")
def page() -> str:
    return (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def missing(page: str) -> list[str]:
    """Modules and tests that are named and not there."""
    found = []
    for path, test in NAMED.findall(page):
        if not (ROOT / path).exists():
            found.append(path)
        elif test and f"\ndef {test}(" not in (ROOT / path).read_text(encoding="utf-8"):
            found.append(f"{path}::{test}")
    return found


def test_what_is_named_exists(page: str) -> None:
    assert missing(page) == []


def test_what_is_not_there_is_found() -> None:
    page = "`ufd_ray/none.py`, `tests/unit/test_errors.py::test_none`, `ufd_ray/errors.py`"
    assert missing(page) == ["ufd_ray/none.py", "tests/unit/test_errors.py::test_none"]


def test_every_threat_names_what_stops_it_and_what_remains(page: str) -> None:
    table = page.partition("## Threats")[2].splitlines()
    threats = [line.strip("| ").split(" | ") for line in table if line.startswith("|")][2:]
    assert len(threats) >= 15
    for threat in threats:
        assert len(threat) == 4, threat
        assert all(threat), threat
        assert NAMED.search(threat[2]) or threat[2].startswith("nothing: "), threat


def test_every_role_and_bucket_is_told_of(page: str) -> None:
    assert not [role for role in ROLES if f"`{role}.json`" not in page]
    assert not [bucket for bucket in BUCKETS if f"| `s3://{bucket}` |" not in page]
