from __future__ import annotations

import numpy as np
import pytest

from tests.unit.images.jpegs import HEIGHT, frame_at, jpeg, last_scan_at, rows_of, varieties
from ufd_ray.images.jpeg_rows import upper_rows

VARIETIES = varieties()


@pytest.mark.parametrize("name", VARIETIES)
def test_the_upper_rows_are_the_whole_files(name: str) -> None:
    # Asked for at the ends of blocks too, where the last row hangs most on what lies below it.
    whole = rows_of(VARIETIES[name])
    cut = 0
    for num_rows in (1, 7, 8, 16, 31, 32, 33, 64, 80, 96, 111, 128, 144, HEIGHT):
        upper = upper_rows(VARIETIES[name], num_rows)
        if upper is None:
            continue
        rows = rows_of(upper.file)
        assert num_rows <= len(rows) < HEIGHT
        assert np.array_equal(rows[:num_rows], whole[:num_rows])
        cut += 1
    assert cut >= 3


@pytest.mark.parametrize(
    ("num_rows", "height"), [(1, 32), (16, 32), (17, 48), (288, 304), (304, 320), (305, None)]
)
def test_heights_by_hand(num_rows: int, height: int | None) -> None:
    upper = upper_rows(jpeg(subsampling="4:2:0"), num_rows)
    assert (None if upper is None else len(rows_of(upper.file))) == height


def test_a_progressive_file_has_two_units_more() -> None:
    upper = upper_rows(jpeg(subsampling="4:2:0", progressive=True), 16)
    assert upper is not None
    assert len(rows_of(upper.file)) == 64


@pytest.mark.parametrize("name", VARIETIES)
def test_markers_alone_are_a_file(name: str) -> None:
    upper = upper_rows(VARIETIES[name], 16)
    assert upper is not None
    rows = rows_of(upper.markers)
    assert rows.shape[1:] == rows_of(VARIETIES[name]).shape[1:]
    assert len(rows) in (8, 16, 32)


def test_markers_that_are_wrong_are_wrong_alone() -> None:
    data = jpeg()
    table = data.index(b"\xff\xc4") + 5  # how many codes there are of each length
    upper = upper_rows(replaced(data, table, b"\xff\xff"), 16)
    assert upper is not None
    with pytest.raises(OSError, match="broken data stream"):
        rows_of(upper.markers)


def replaced(data: bytes, at: int, by: bytes) -> bytes:
    return data[:at] + by + data[at + len(by) :]


def not_understood() -> dict[str, bytes]:
    data, progressive = jpeg(), jpeg(progressive=True)
    frame, scan = frame_at(data), last_scan_at(data)
    length = 2 + int.from_bytes(data[frame + 2 : frame + 4], "big")
    again = data[frame : frame + length]
    return {
        "nothing": b"",
        "its start alone": data[:2],
        "no jpeg": b"\x89PNG\r\n\x1a\n" + bytes(100),
        "no end": data[:-2],
        "half an end": data[:-1],
        "cut in its last scan": progressive[:-40],
        "cut before its last scan": progressive[: last_scan_at(progressive)],
        "cut in a segment": data[: frame + 6],
        "no frame": data[:frame] + data[frame + length :],
        "two frames": data[:frame] + again + data[frame:],
        "a frame after the scan": data[:-2] + again + data[-2:],
        "arithmetic coding": replaced(data, frame, b"\xff\xc9"),
        "lossless": replaced(data, frame, b"\xff\xc3"),
        "12 bits": replaced(data, frame + 4, b"\x0c"),
        "no sampling": replaced(replaced(data, frame + 11, b"\0"), frame + 14, b"\0\xff\0\0\xff\0"),
        "components of no length": replaced(data, frame + 9, b"\x04"),
        "a segment of no length": replaced(data, frame + 2, b"\0\1"),
        "rubbish between segments": data[:frame] + b"\0" + data[frame:],
        "a filling byte": data[:frame] + b"\xff" + data[frame:],
        "a later height": data[:-2] + b"\xff\xdc\0\4\0\x20" + data[-2:],
        "an unknown marker in its pixels": replaced(data, scan + 100, b"\xff\x02"),
        "more segments than there can be": data[:2] + b"\xff\xfe\0\2" * 1000 + data[2:],
    }


@pytest.mark.parametrize("name", not_understood())
def test_what_is_not_understood_is_left_alone(name: str) -> None:
    assert upper_rows(jpeg(), 16) is not None
    assert upper_rows(not_understood()[name], 16) is None
