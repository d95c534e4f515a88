"""Decoding in a child process that is really ended, hung and filled, by files made for it."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.unit.images.poison import endless_jpeg, large_png
from tests.unit.images.samples import encoded, every_kind, picture, png
from tests.unit.images.test_wire import in_words
from ufd_ray.errors import DecodeError, ErrorCode, UfdError
from ufd_ray.images import Decoded, DecodeLimits, Sandbox, decode, shared_sandbox, to_pixels
from ufd_ray.settings import PreprocessMode

ROOT = Path(__file__).parents[3]
BAD_DECODER = (sys.executable, "-P", "-m", "tests.unit.images.bad_decoder")
SMALL = DecodeLimits(max_pixels=50_000_000, timeout_s=4, memory_mb=256)
SIZE = 24
PICTURES = [encoded(picture(30, 20, seed=seed), "PNG") for seed in range(4)]


def in_this_process(data: bytes, mode: PreprocessMode, max_pixels: int) -> tuple[object, ...]:
    """What the sandbox must say, too."""
    try:
        image = decode(data, max_pixels=max_pixels)
    except DecodeError as error:
        return in_words(Decoded(error=error))
    try:
        pixels = to_pixels(image, mode=mode, size=SIZE).tobytes()
    except DecodeError as error:
        return in_words(Decoded(image.format, image.width, image.height, error=error))
    return in_words(Decoded(image.format, image.width, image.height, pixels))


def only(results: list[Decoded]) -> Decoded:
    (result,) = results
    return result


def error_of(result: Decoded) -> DecodeError:
    assert result.pixels is None
    assert result.error is not None
    return result.error


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(DecodeLimits(max_pixels=10**7)) as opened:
        yield opened


@pytest.fixture(scope="module")
def obedient() -> Iterator[Sandbox]:
    """A sandbox whose decoder does what files say."""
    with Sandbox(SMALL, BAD_DECODER) as opened:
        yield opened


def files() -> dict[str, bytes]:
    """Every sample, and files that end as each of the errors."""
    whole = every_kind()
    return whole | {
        "empty": b"",
        "no image": b"<svg/>",
        "cut": whole["jpeg"][:-200],
        "garbled": whole["png"][:60] + b"garbled" + whole["png"][67:],
        "no palette": png(4, 4, bit_depth=8, color_type=3, rows=bytes(16)),
        "too large": png(10_000, 1001, bit_depth=8, color_type=2, rows=b""),
        "a strip": encoded(picture(30_000, 10), "PNG"),
        "32 bits": encoded(picture().convert("F"), "TIFF"),
        "20 megabytes": encoded(picture(2600, 2600), "BMP"),
    }


def test_what_the_children_work_adds_up() -> None:
    worked = [0.0]
    data = encoded(picture(1500, 1000), "PNG")  # well above a tick of the system's clock
    with Sandbox(DecodeLimits()) as sandbox:
        assert sandbox.core_seconds == 0
        for _ in range(2):
            sandbox.decode([data] * 4, "crop", SIZE)
            worked.append(sandbox.core_seconds)
            sandbox.close()  # the next one starts a new child
            assert sandbox.core_seconds == pytest.approx(worked[-1], abs=0.05)
    assert worked[2] > worked[1] > 0


@pytest.mark.parametrize("mode", ["crop", "resize"])
def test_pixels_and_errors_are_those_of_this_process(
    sandbox: Sandbox, mode: PreprocessMode
) -> None:
    results = sandbox.decode(files().values(), mode, SIZE)
    expected = [in_this_process(data, mode, 10**7) for data in files().values()]
    assert [in_words(result) for result in results] == expected
    assert len({result.error.code for result in results if result.error}) == 5


def test_where_there_are_no_bytes_nothing_is_said(sandbox: Sandbox) -> None:
    first, none, second = sandbox.decode([PICTURES[0], None, PICTURES[1]], "crop", SIZE)
    assert none == Decoded()
    assert first.pixels != second.pixels


ANSWER = struct.Struct("<BBiiH")
DEEDS = {
    b"crash": (ErrorCode.CRASHED, "signal 11"),
    b"exit": (ErrorCode.CRASHED, "exit status 3"),
    b"raise": (ErrorCode.CRASHED, "exit status 1"),
    b"gorge": (ErrorCode.CRASHED, r"allowed 256 MiB \(--decode-memory-mb\)"),
    b"hang up": (ErrorCode.CRASHED, "closed its connection"),
    b"answer > " + b"\xff" * 100: (ErrorCode.CRASHED, "an answer that cannot be"),
    b"answer > " + b"junk" * 5000: (ErrorCode.CRASHED, "an answer that cannot be"),
    b"answer > " + ANSWER.pack(0, 1, 0, 0, 1) + b"\xff": (ErrorCode.CRASHED, "cannot be"),
    b"answer > " + ANSWER.pack(1, 0, 9, 9, 0): (ErrorCode.DECODE_TIMEOUT, "within 4 s"),
    b"spin": (ErrorCode.DECODE_TIMEOUT, r"within 4 s \(--decode-timeout-s\)"),
}


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed[:12].decode(errors="replace"))
def test_the_guilty_image_has_its_code_and_all_others_their_pixels(
    obedient: Sandbox, deed: bytes
) -> None:
    code, message = DEEDS[deed]
    first, guilty, *others = obedient.decode([PICTURES[0], deed, *PICTURES[1:]], "crop", SIZE)
    assert error_of(guilty).code == code
    with pytest.raises(DecodeError, match=message):
        raise error_of(guilty)
    expected = [in_this_process(data, "crop", 10**7) for data in PICTURES]
    assert [in_words(result) for result in (first, *others)] == expected


def test_an_image_does_not_pay_for_what_an_earlier_one_did(obedient: Sandbox) -> None:
    harmed, innocent = obedient.decode([b"harm the next", PICTURES[0]], "crop", SIZE)
    assert error_of(harmed).message == "harmed"
    assert in_words(innocent) == in_this_process(PICTURES[0], "crop", 10**7)


def test_an_interrupted_images_answer_is_not_the_next_ones(obedient: Sandbox) -> None:
    obedient.decode([PICTURES[0]], "crop", SIZE)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def doze() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        obedient.decode([b"doze"], "crop", SIZE)

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            doze()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    result = only(obedient.decode([PICTURES[1]], "crop", SIZE))
    assert in_words(result) == in_this_process(PICTURES[1], "crop", 10**7)


def test_several_guilty_images_in_a_row(obedient: Sandbox) -> None:
    results = obedient.decode([b"crash", b"crash", b"exit", PICTURES[0]], "crop", SIZE)
    codes = [result.error and result.error.code for result in results]
    assert codes == [ErrorCode.CRASHED] * 3 + [None]


def test_an_image_on_which_the_real_decoder_works_for_ever() -> None:
    with Sandbox(SMALL) as sandbox:
        before, endless, after = sandbox.decode(
            [PICTURES[0], endless_jpeg(), PICTURES[1]], "crop", SIZE
        )
    assert error_of(endless).code == ErrorCode.DECODE_TIMEOUT
    assert before.pixels
    assert after.pixels


def test_an_image_for_which_the_real_decoder_needs_too_much_memory() -> None:
    large = large_png()
    with Sandbox(SMALL) as sandbox:
        before, refused, after = sandbox.decode([PICTURES[0], large, PICTURES[1]], "crop", SIZE)
    assert error_of(refused).code == ErrorCode.CRASHED
    assert "256 MiB" in error_of(refused).message
    assert before.pixels
    assert after.pixels
    with Sandbox(DecodeLimits(memory_mb=512)) as sandbox:
        assert only(sandbox.decode([large], "crop", SIZE)).pixels


def test_the_child_has_no_credentials_and_little_else(
    obedient: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    obedient.close()
    for name in ("AWS_SECRET_ACCESS_KEY", "RAY_AUTH_TOKEN", "HOME"):
        monkeypatch.setenv(name, "secret")
    told = json.loads(error_of(only(obedient.decode([b"tell"], "crop", SIZE))).message)
    known = {"PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "LC_CTYPE", "PYTHONPATH"}
    ours = {"OMP_NUM_THREADS", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"}
    assert set(told["environment"]) <= known | ours
    assert told["loaded"] == []


def test_the_child_cannot_write_files(obedient: Sandbox, tmp_path: Path) -> None:
    target = tmp_path / "written"
    deed = b"write > " + os.fsencode(target)
    assert "File too large" in error_of(only(obedient.decode([deed], "crop", SIZE))).message
    assert target.read_bytes() == b""


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ((sys.executable, "-c", "raise SystemExit('no room')"), "no room"),
        ((sys.executable, "-c", "raise SystemExit(7)"), "ended with exit status 7"),
        ((sys.executable, "-m", "ufd_ray.images.nowhere"), "No module named"),
        ((sys.executable, "-c", "import os; os.write(0, b'hello')"), "greets with b'hello'"),
        (("/nowhere/python",), "No such file"),
    ],
)
def test_a_decoder_that_does_not_start_is_not_the_images_fault(
    command: tuple[str, ...], why: str
) -> None:
    with (
        Sandbox(DecodeLimits(), command) as sandbox,
        pytest.raises(UfdError, match=f"does not start.*{why}"),
    ):
        sandbox.decode([PICTURES[0]], "crop", SIZE)


def test_threads_share_a_sandbox() -> None:
    shared = shared_sandbox(DecodeLimits())
    assert shared_sandbox(DecodeLimits()) is shared
    expected = [in_this_process(data, "crop", 10**7) for data in PICTURES]
    with ThreadPoolExecutor(4) as threads:
        batches = list(threads.map(lambda _: shared.decode(PICTURES, "crop", SIZE), range(20)))
    shared.close()
    assert [[in_words(result) for result in batch] for batch in batches] == [expected] * 20


AFTER_A_FORK = """
import os, sys
from ufd_ray.images import DecodeLimits, shared_sandbox

data = sys.stdin.buffer.read()
before = shared_sandbox(DecodeLimits()).decode([data], "crop", 24)
forked = os.fork()
after = shared_sandbox(DecodeLimits()).decode([data] * 50, "crop", 24)
if not forked:
    os._exit(0 if after == before * 50 else 1)
_, status = os.waitpid(forked, 0)
print(status, after == before * 50)
"""


def test_a_fork_has_a_child_of_its_own() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", AFTER_A_FORK],
        input=PICTURES[0],
        capture_output=True,
        check=True,
        cwd=ROOT,
    )
    assert done.stdout.decode().split() == ["0", "True"]


ORPHANS = """
import sys
from pathlib import Path
from tests.unit.images.test_sandbox import BAD_DECODER, PICTURES
from ufd_ray.images import DecodeLimits, Sandbox

sandbox = Sandbox(DecodeLimits(timeout_s=float(sys.argv[1])), BAD_DECODER)
while sandbox.decode([PICTURES[0]], "crop", 24)[0].pixels is None:
    pass  # its time was over, on a busy machine
print(Path("/proc/thread-self/children").read_text().strip(), flush=True)
sandbox.decode([sys.argv[2].encode()], "crop", 24)
input()
"""


@pytest.mark.skipif(not Path("/proc").exists(), reason="children are told by Linux's /proc")
@pytest.mark.parametrize("deed", ["", "spin"])
def test_the_child_ends_with_its_parent(deed: str) -> None:
    # A spinning one sees no end of its input: the bound on its work (2 × 1 s) ends it.
    parent = subprocess.Popen(
        [sys.executable, "-c", ORPHANS, "1" if deed else "60", deed],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    with parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    while is_running(child):
        time.sleep(0.02)


def is_running(process: int) -> bool:
    """Whether there is such a process, and it is no corpse that nobody has collected."""
    try:
        return ") Z " not in Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
