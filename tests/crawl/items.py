"""The crawl's images: pictures with labels, files that are none, names that tools trip over."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ufd_ray.demo.pictures import Picture, crawl_pictures


@dataclass(frozen=True)
class Item:
    """One object, and what its row must say.

    Attributes:
        name: below the crawl's root, as it stands; undecodable bytes as surrogates, as `os` does.
        data: its bytes, as listed; no two items have the same, save the copies.
        code: error code; None: it is scored.
        label: as the manifest has it.
        source: likewise.
        copy_of: name of the item whose bytes it repeats.
    """

    name: str
    data: bytes
    code: str | None = None
    label: int | None = None
    source: str | None = None
    copy_of: str | None = None


def pictures(folder: Path) -> Iterator[Item]:
    """Photographs and what five "generators" make of them; the last repeats the first."""
    found = [p for p in crawl_pictures(folder, 5, seed=0) if p.label is not None]
    for picture in found:
        yield _as_item(picture, f"{picture.path.parent.name}/{picture.path.name}")
    first = _as_item(found[0], "again.png")
    yield Item(first.name, first.data, None, first.label, "a copy", "pictures/photograph/0000.png")


def _as_item(picture: Picture, name: str) -> Item:
    data = picture.path.read_bytes()
    return Item(f"pictures/{name}", data, None, picture.label, picture.source)


def moving() -> Iterator[Item]:
    """Listed, and then left alone, deleted, replaced by more bytes, replaced by as many bytes."""
    yield Item("moving/kept.png", _picture("kept"))
    yield Item("moving/gone.png", _picture("gone"), "not_found")
    yield Item("moving/longer.png", _picture("longer"), "changed")
    yield Item("moving/same-length.png", _picture("same"), "changed")


def contents() -> Iterator[Item]:
    """Files that are no images, or odd ones."""
    jpeg = _saved(_noise("jpeg", 300, 300), "JPEG")
    frames = [_noise(f"frame {number}", 40, 40) for number in range(3)]
    grey = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) * 16
    wide = np.tile(np.arange(30_000, dtype=np.uint8), (10, 1))
    animated = {"save_all": True, "append_images": frames[1:], "duration": 100}
    for name, data, code in (
        ("empty.png", b"", "empty"),
        ("page.jpg", b"<html><body>404 Not Found</body></html>", "unsupported"),
        ("cut.jpg", jpeg[: len(jpeg) // 2], "truncated"),
        ("bomb.png", _bomb(60_000), "too_many_pixels"),
        ("pixel.png", _saved(_noise("pixel", 1, 1), "PNG"), None),
        ("strip.png", _saved(Image.fromarray(wide), "PNG"), None),
        ("cmyk.jpg", _saved(_noise("cmyk", 80, 80).convert("CMYK"), "JPEG"), None),
        ("sixteen-bits.png", _saved(Image.fromarray(grey), "PNG"), None),
        ("moves.gif", _saved(frames[0], "GIF", **animated), None),
        ("moves.webp", _saved(frames[0], "WEBP", lossless=True, **animated), None),
    ):
        yield Item(f"odd/contents/{name}", data, code)


_ANYWHERE = (
    "a b.png", "ends in a space.png ", "bild-ü-日本.png", "a#1.png", "a::b.png", "100%20.png",
    "100%.png", "a+b.png", "a?b=c&d.png", "a<b>&amp;.png", "tab\there.png", "new\nline.png",
    "back\\slash.png", "glob[1]*.png", "quote'\".png", "{name}.png", ".hidden.png", "_SUCCESS",
    "no-ending", "x.png.parquet", "s3:/b/k.png", "sub/a.png",
)  # fmt: skip
_ONLY_ON_DISK = ("caf\udce9.png",)
_ONLY_ON_S3 = (
    "sub//a.png", "sub/./a.png", "sub/../a.png", "/lead.png", "sub/slash.png/", "sub",
)  # fmt: skip


def names_anywhere() -> Iterator[Item]:
    """Sound images under names that a disk and an object store both take."""
    return map(_named, _ANYWHERE)


def names_on_disk() -> Iterator[Item]:
    """A name that is not UTF-8."""
    return map(_named, _ONLY_ON_DISK)


def names_on_s3() -> Iterator[Item]:
    """Keys that no path is: with empty and dot segments, or the name of a folder."""
    return map(_named, _ONLY_ON_S3)


def _named(name: str) -> Item:
    return Item(f"odd/names/{name}", _picture(name))


def _picture(name: str) -> bytes:
    return _saved(_noise(name, 64, 64), "PNG")


def _noise(name: str, width: int, height: int) -> Image.Image:
    seed = list(name.encode("utf-8", "surrogateescape"))
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    sink = io.BytesIO()
    image.save(sink, kind, **options)
    return sink.getvalue()


def _bomb(side: int) -> bytes:
    """A PNG of 80 bytes that declares side × side pixels."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(64))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
