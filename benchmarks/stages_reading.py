"""Fetching and decoding, for `stages.py`: by the stages' own functions, in batches as in a run."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from decode import KINDS, LARGEST, LIMITS, SIZES, piece, written
from decode_isolation import FILES_A_BATCH, SIZE, picture
from PIL import Image
from stages_ceilings import copy_rate, hash_rate, loopback_rate
from stages_turns import Case

from ufd_ray.pipeline.reading import decode_images, fetch_images
from ufd_ray.schema import MANIFEST
from ufd_ray.storage import FetchLimits, StorageOptions

sys.path.append(str(Path(__file__).parents[1]))  # the servers are the tests'
from tests.servers.s3 import start_s3_server

FORMATS = ("JPEG", "PNG", "WebP")
FETCHED = {"256 px": 256, "1 MP": 128, "4 MP": 64}
"""How many JPEGs of which size are fetched."""
HERE = StorageOptions()


class Pictures:
    """Pieces of one large made picture, as files of any size and format."""

    def __init__(self) -> None:
        _, width, height, _ = LARGEST
        self._whole = picture(width, height, seed=0)

    def files(self, size: str, kind: str, num: int) -> list[bytes]:
        """So many different files; of the largest size, one file so many times."""
        if size == LARGEST[0]:
            return [written(self._whole, *KINDS[kind])] * num
        wide, high, _ = SIZES[size]
        places = random.Random(0)
        pieces = (piece(self._whole, wide, high, places) for _ in range(num))
        return [written(image, *KINDS[kind]) for image in pieces]

    def one(self, size: str, seed: int) -> Image.Image:
        """A piece of the picture."""
        wide, high, _ = SIZES[size]
        return piece(self._whole, wide, high, random.Random(seed))


def local_cases(pictures: Pictures, folder: Path) -> Iterator[Case]:
    """Files on this machine, which lie in memory after the first round."""
    for size, num in FETCHED.items():
        uris, total = [], 0
        for number, data in enumerate(pictures.files(size, "JPEG", num)):
            path = folder / f"{size}-{number}.jpg".replace(" ", "-")
            path.write_bytes(data)
            uris.append(str(path))
            total += len(data)
        yield _fetching("local files", size, uris, total, "memory copy", copy_rate)


@contextmanager
def s3_cases(pictures: Pictures) -> Iterator[list[Case]]:
    """The same files on an S3 server of this machine, for as long as the block lasts."""
    with start_s3_server() as server:
        before = {name: os.environ.get(name) for name in server.environment()}
        os.environ.update(server.environment())
        try:
            bucket, client, cases = server.make_bucket(), server.client(), []
            for size, num in FETCHED.items():
                uris, total = [], 0
                for number, data in enumerate(pictures.files(size, "JPEG", num)):
                    key = f"{size}/{number}.jpg".replace(" ", "-")
                    client.put_object(Bucket=bucket, Key=key, Body=data)
                    uris.append(f"s3://{bucket}/{key}")
                    total += len(data)
                case = _fetching(
                    f"S3 ({server.kind})", size, uris, total, "loopback", loopback_rate
                )
                case.notes.append("the server works on the same cores; its work is not counted")
                cases.append(case)
            yield cases
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def decode_cases(pictures: Pictures) -> Iterator[Case]:
    """Files in memory, of every size and format."""
    numbers = {size: num for size, (_, _, num) in SIZES.items()} | {LARGEST[0]: LARGEST[3]}
    sides = {size: sides[:2] for size, sides in SIZES.items()} | {LARGEST[0]: LARGEST[1:3]}
    for kind in FORMATS:
        for size, num in numbers.items():
            files = pictures.files(size, kind, num)
            rows = manifest([f"/made/{number}" for number in range(num)])
            rows = rows.append_column("data", pa.array(files, pa.large_binary()))
            step = partial(decode_images, mode="crop", size=SIZE, limits=LIMITS)
            wide, high = sides[size]
            yield Case(
                stage="decode",
                of=f"{kind}, {size}, {sum(map(len, files)) / num / 1e3:.0f} KB",
                num_images=num,
                num_bytes=sum(map(len, files)) / num,
                run=partial(_in_batches, step, rows),
                ceiling="copy of all its pixels",
                reached=partial(_images, copy_rate, 3 * wide * high),
            )


def manifest(uris: Sequence[str]) -> Any:
    """Rows as a run's manifest has them, of which nothing else is known."""
    columns: dict[str, Any] = {"position": range(len(uris)), "image_id": uris, "uri": uris}
    fields = [
        pa.array(columns[field.name], field.type)
        if field.name in columns
        else pa.nulls(len(uris), field.type)
        for field in MANIFEST
    ]
    return pa.table(fields, schema=pa.schema(MANIFEST))


def _fetching(where: str, size: str, uris: list[str], total: int, ceiling: str, rate: Any) -> Case:
    step = partial(fetch_images, storage=HERE, limits=FetchLimits())
    each = total / len(uris)
    return Case(
        stage="fetch",
        of=f"{where}, {each / 1e3:.0f} KB",
        num_images=len(uris),
        num_bytes=each,
        run=partial(_in_batches, step, manifest(uris)),
        ceiling=ceiling,
        reached=partial(_images, rate, each),
        notes=[f"SHA-256 alone: {hash_rate(int(each)):,.0f} images/s"],
    )


def _in_batches(step: Any, rows: Any) -> None:
    for first in range(0, len(rows), FILES_A_BATCH):
        done = step(rows.slice(first, FILES_A_BATCH))
        failed = [text for text in done["error_message"].to_pylist() if text]
        if failed:
            raise SystemExit(f"{len(failed)} of {len(done)} images failed: {failed[0]}")


def _images(rate: Any, num_bytes: float) -> float:
    return float(rate()) / num_bytes
