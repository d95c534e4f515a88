"""How a job ends: its exit status, and the word for it in `run.json`."""

from __future__ import annotations

from enum import IntEnum


class Outcome(IntEnum):
    """The value is the exit status."""

    PUBLISHED = 0
    FAILED = 1
    UNUSABLE_SETTINGS = 2
    PUBLISHED_WITH_ERRORS = 3

    @property
    def word(self) -> str:
        """The name under which `run.json` knows it."""
        return self.name.lower()
