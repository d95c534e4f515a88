"""The names that the pages use, and what stands for them in a test."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

NIGHT = "2026-11-25"
EXPANDED = {"$(date -u +%F)": NIGHT, "$night": NIGHT, "$try": "1"}
"""What the pages leave to a shell."""

_PLACES = {
    *("--input", "--embeddings", "--bank", "--probe", "--on", "--import", "--output", "--to"),
    *("--plan", "--run", "--labels"),
}


@dataclass(frozen=True)
class Names:
    """Where the pages' buckets and files lie in a test.

    Attributes:
        bucket: holds `crawl/`, and below `room/` what the pages call s3://models and s3://scores.
        room: prefix of the models and scores that a block finds and makes.
        folder: for relative local names.
    """

    bucket: str
    room: str
    folder: str = "/nowhere"

    def uri(self, text: str) -> str:
        """A text in which the pages' buckets are the test's."""
        text = text.replace("s3://crawl", f"s3://{self.bucket}/crawl")
        return re.sub(r"s3://(models|scores)\b", rf"s3://{self.bucket}/{self.room}/\1", text)

    def words(self, words: Iterable[str]) -> list[str]:
        """The words of a command: places, encoder, and what a page leaves out as too long."""
        given: list[str] = []
        for word in words:
            flag = given[-1] if given else ""
            if word in ("…", "...") and flag in ("--bank", "--probe"):
                word = f"s3://models/{flag.removeprefix('--')}"
            elif word in ("…", "..."):
                continue
            if flag == "--encoder" and word == "clip-vit-l14":
                word = "lite0"  # no hub is reachable, and lite0's weights are installed
            if flag in _PLACES and "://" not in word and not word.startswith("/"):
                word = f"{self.folder}/{word}"
            given.append(self.uri(word))
        return given
