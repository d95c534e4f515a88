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

    @classmethod
    def is_published(cls, word: object) -> bool:
        """Whether this word is that of a run that has been published."""
        return word in (cls.PUBLISHED.word, cls.PUBLISHED_WITH_ERRORS.word)

    @classmethod
    def of(cls, word: object) -> Outcome:
        """The published outcome of this word; a document that names none tells of no errors."""
        with_errors = cls.PUBLISHED_WITH_ERRORS
        return with_errors if word == with_errors.word else cls.PUBLISHED
