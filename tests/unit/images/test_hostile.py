"""Files made to do harm: no error but `DecodeError`, no warning, no memory to speak of."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.images.samples import PNG_SIGNATURE, chunk, encoded, every_kind, picture, png
from ufd_ray.errors import DecodeError, ErrorCode
from ufd_ray.images import decode, to_pixels

KINDS = every_kind()

# One mutation: where (a share of the file, or of its first bytes), how many bytes go, what comes.
MUTATION = st.tuples(
    st.integers(0, 2**16 - 1), st.booleans(), st.integers(0, 8), st.binary(max_size=8)
)


def mutated(data: bytes, mutations: list[tuple[int, bool, int, bytes]]) -> bytes:
    for place, in_header, num_removed, inserted in mutations:
        reach = min(len(data), 64) if in_header else len(data)
        at = place * reach >> 16
        data = data[:at] + inserted + data[at + num_removed :]
    return data


def with_right_checksums(data: bytes) -> bytes:
    """A PNG's checksums made good again, so that the mutation gets past them."""
    if not data.startswith(PNG_SIGNATURE):
        return data
    made, at = data[:8], 8
    while at + 12 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        if at + 12 + length > len(data):
            break
        made += chunk(data[at + 4 : at + 8], data[at + 8 : at + 8 + length])
        at += 12 + length
    return made + data[at:]


def decode_both_ways(data: bytes) -> None:
    with suppress(DecodeError):
        image = decode(data, max_pixels=1_000_000)
        for mode in ("crop", "resize"):
            with suppress(DecodeError):
                assert to_pixels(image, mode=mode, size=24).shape == (24, 24, 3)


@given(
    name=st.sampled_from(sorted(KINDS)),
    mutations=st.lists(MUTATION, min_size=1, max_size=6),
    mend=st.booleans(),
)
@settings(max_examples=1500)
def test_a_damaged_file_is_an_image_or_a_decode_error(
    name: str, mutations: list[tuple[int, bool, int, bytes]], mend: bool
) -> None:
    data = mutated(KINDS[name], mutations)
    decode_both_ways(with_right_checksums(data) if mend else data)


@given(st.binary(max_size=200), st.sampled_from(sorted(KINDS)), st.integers(0, 24))
@settings(max_examples=300)
def test_rubbish_is_a_decode_error(rubbish: bytes, name: str, num_kept: int) -> None:
    decode_both_ways(KINDS[name][:num_kept] + rubbish)


def bombs() -> dict[str, bytes]:
    """Tiny files that declare giant images."""
    gif = bytearray(encoded(picture(), "GIF"))
    gif[6:10] = struct.pack("<HH", 65535, 65535)
    bmp = bytearray(encoded(picture(), "BMP"))
    bmp[18:26] = struct.pack("<ii", 200_000, 200_000)
    jpeg = bytearray(encoded(picture(), "JPEG"))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 65_500, 65_500)
    return {
        "png": png(100_000, 100_000, bit_depth=8, color_type=2, rows=b""),
        "gif": bytes(gif),
        "bmp": bytes(bmp),
        "jpeg": bytes(jpeg),
    }


PEAK = """
import re, sys
from pathlib import Path
from ufd_ray.errors import DecodeError
from ufd_ray.images import decode

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])

data = sys.stdin.buffer.read()
before = peak()
try:
    said = str(decode(data, max_pixels=100_000_000).size)
except DecodeError as error:
    said = error.code.value
print(said, (peak() - before) / 1024)
"""
# `ru_maxrss` would not do: a child inherits its parent's peak.
measures_memory = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="the peak of memory is read from Linux's /proc"
)


def outcome_and_mebibytes(data: bytes) -> tuple[str, float]:
    """What became of a file in a fresh process, and by how much its memory grew over it."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK],
        input=data,
        capture_output=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    said, _, grown = done.stdout.decode().strip().rpartition(" ")
    return said, float(grown)


@measures_memory
@pytest.mark.parametrize("kind", bombs())
def test_a_bomb_is_refused_before_memory_is_taken(kind: str) -> None:
    said, grown = outcome_and_mebibytes(bombs()[kind])
    assert said == ErrorCode.TOO_MANY_PIXELS
    assert grown < 30


@measures_memory
def test_the_measure_of_memory_can_fail() -> None:
    said, grown = outcome_and_mebibytes(
        png(5000, 5000, bit_depth=8, color_type=2, rows=bytes(3 * 5000 * 5000))
    )
    assert said == "(5000, 5000)"
    assert grown > 60


@measures_memory
@pytest.mark.parametrize("name", [b"zTXt", b"iTXt", b"iCCP"])
def test_a_bomb_in_a_text_chunk_is_refused(name: bytes) -> None:
    giant = zlib.compress(bytes(300 * 2**20), 9)
    head = {b"zTXt": b"c\0\0", b"iTXt": b"c\0\1\0\0\0", b"iCCP": b"c\0\0"}[name]
    text = chunk(name, head + giant)
    data = png(2, 2, bit_depth=8, color_type=2, rows=bytes(range(12)), before_data=text)
    said, grown = outcome_and_mebibytes(data)
    assert said == ErrorCode.CORRUPT
    assert grown < 60


def test_a_generators_long_workflow_in_a_text_chunk_is_no_bomb() -> None:
    text = chunk(b"tEXt", b"workflow\0" + b"{}" * 2**20)
    data = png(2, 2, bit_depth=8, color_type=2, rows=bytes(range(12)), before_data=text)
    assert decode(data, max_pixels=4).size == (2, 2)


@measures_memory
def test_data_beyond_the_declared_rows_is_not_kept() -> None:
    rows = bytes(300 * 2**20)
    data = b"".join(
        (
            PNG_SIGNATURE,
            chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 2, 0, 0, 0)),
            chunk(b"IDAT", zlib.compress(rows, 1)),
            chunk(b"IEND", b""),
        )
    )
    said, grown = outcome_and_mebibytes(data)
    assert said == "(2, 2)"
    assert grown < 60
