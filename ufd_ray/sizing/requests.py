"""How many requests a run puts to S3, by the layout of a run's folder."""

from __future__ import annotations

import math
from dataclasses import dataclass

ROWS_PER_BLOCK = 256
KEYS_PER_LIST = 1000
PUTS_PER_BLOCK = 3
"""A block's part, the announcement of its checkpoint, and the copy that commits it."""
GETS_PER_BLOCK = 3
"""To publish a part, it is read for the accounts, for duplicates, and for its rows; as measured."""
ROWS_PER_PUBLISHED_FILE = 100_000
ROWS_PER_MANIFEST_FILE = 500_000


@dataclass(frozen=True)
class Requests:
    """Of a whole run, without further tries. Deleting costs nothing on S3 and is not counted.

    Attributes:
        lists: LIST requests.
        gets: GET and HEAD requests.
        puts: PUT and COPY requests.
        read_bytes: that images are.
        written_bytes: that rows are, as parts and once more as published files.
    """

    lists: int
    gets: int
    puts: int
    read_bytes: int
    written_bytes: int


def count_requests(num_images: int, read_bytes: float, written_bytes: float) -> Requests:
    """Count them, an object of its own an image.

    Args:
        num_images: of the run.
        read_bytes: mean size of an image.
        written_bytes: of a row.
    """
    blocks = math.ceil(num_images / ROWS_PER_BLOCK)
    files = math.ceil(num_images / ROWS_PER_PUBLISHED_FILE)
    manifests = math.ceil(num_images / ROWS_PER_MANIFEST_FILE)
    return Requests(
        lists=math.ceil(num_images / KEYS_PER_LIST),
        gets=num_images + blocks * GETS_PER_BLOCK + files + manifests,
        puts=blocks * PUTS_PER_BLOCK + files + manifests,
        read_bytes=round(num_images * read_bytes),
        written_bytes=round(2 * num_images * written_bytes),
    )
