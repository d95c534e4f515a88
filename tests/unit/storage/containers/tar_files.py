"""Tars for the tests of listing and reading them."""

from __future__ import annotations

import io
import tarfile


def as_tar(members: list[tuple[str, bytes]], kind: int = tarfile.PAX_FORMAT) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=kind) as tar:
        for name, data in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return sink.getvalue()


def sparse_tar() -> bytes:
    """A GNU sparse member of 6,000 bytes, of which 5 at 4,096 are stored, and a plain one."""
    entry = tarfile.TarInfo("holes.png")
    entry.type, entry.size = tarfile.GNUTYPE_SPARSE, 5
    header = bytearray(entry.tobuf(tarfile.GNU_FORMAT))
    header[386:410] = b"%011o\0%011o\0" % (4096, 5)
    header[483:495] = b"%011o\0" % 6000
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + b"image".ljust(512, b"\0") + as_tar([("next.jpg", b"2")])


SOUND = as_tar([("a.jpg", b"a" * 1000), ("b.jpg", b"b" * 1000)])
