"""A decoding process as its parent sees it: never trusted, never waited for without an end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

import psutil

from ufd_ray.errors import DecodeError, ErrorCode, UfdError
from ufd_ray.images.wire import READY, Decoded, Request, read_answer, request_header

_START_TIMEOUT_S = 120.0
_LAST_WORDS_S = 2.0
_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL")  # and no credentials
# The GNU C library would give an image's memory back to the system and take it anew, page by page,
# for the next; above so many bytes it still does. Blocks of Pillow's have 16 MiB.
_ALLOCATOR = {
    "MALLOC_TRIM_THRESHOLD_": str(128 * 2**20),
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),
}


class LostError(Exception):
    """The child is of no more use; `error` is what that says about the image."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.error = DecodeError(code, message)


class DecodingProcess:
    """The program that decodes, running.

    Args:
        command: the program with its arguments.
        timeout_s: longest time for one image, seconds.

    Raises:
        UfdError: it does not start. This must not be taken for an image that crashes it.
    """

    def __init__(self, command: Sequence[str], timeout_s: float) -> None:
        self._command = command
        self._timeout_s = timeout_s
        self._worked = 0.0
        self._buffer = bytearray()  # kept: fresh pages for every image cost more than the copying
        self._socket, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = subprocess.Popen(  # noqa: S603 (a program of ours)
                    command,
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    env=_environment(),
                    process_group=0,  # Ctrl-C at the terminal is not the image's fault
                )
            except OSError as error:
                self._socket.close()
                raise self._not_started(str(error)) from error
        self._await_ready()

    def _await_ready(self) -> None:
        self._deadline = time.monotonic() + _START_TIMEOUT_S
        try:
            word = self._receive(len(READY))
            why = "" if word == READY else f"it greets with {word!r}"
        except TimeoutError:
            why = f"no word from it within {_START_TIMEOUT_S:g} s"
        except (OSError, EOFError):
            why = f"it {self._how_it_ended()}"
        if not why:
            self._close_stderr()
            return
        self._process.kill()
        _, said = self._process.communicate()
        self.end()
        raise self._not_started(said.decode(errors="replace").strip().rpartition("\n")[2] or why)

    def ask(self, request: Request) -> Decoded:
        """Have one file decoded.

        Raises:
            LostError: the child died, hangs, has no memory left or does not keep to the protocol.
        """
        self._deadline = time.monotonic() + self._timeout_s
        try:
            self._send(request_header(request))
            self._send(request.data)
            answer = read_answer(self._receive, request.size, request.num_views, request.num_traits)
        except TimeoutError:
            message = f"not decoded within {self._timeout_s:g} s (--decode-timeout-s)"
            raise LostError(ErrorCode.DECODE_TIMEOUT, message) from None
        except (OSError, EOFError):
            message = f"the decoder {self._how_it_ended()}"
            raise LostError(ErrorCode.CRASHED, message) from None
        except ValueError as error:
            message = f"the decoder gave an answer that cannot be: {error}"
            raise LostError(ErrorCode.CRASHED, message) from None
        if answer.error is not None and answer.error.code == ErrorCode.CRASHED:
            raise LostError(answer.error.code, answer.error.message)
        return answer

    @property
    def core_seconds(self) -> float:
        """What the program has worked so far: seconds of a core. As far as known, if it is gone."""
        with suppress(psutil.Error):
            if self._process.returncode is None:  # else its number may be another's by now
                times = psutil.Process(self._process.pid).cpu_times()
                self._worked = times.user + times.system
        return self._worked

    def end(self) -> None:
        """Kill the process; nothing that it does is worth waiting for."""
        self._socket.close()
        self._close_stderr()
        self._process.kill()
        self._process.wait()

    def _send(self, data: bytes) -> None:
        self._socket.settimeout(self._time_left())
        self._socket.sendall(data)

    def _receive(self, num_bytes: int) -> bytes:
        if num_bytes > len(self._buffer):
            self._buffer = bytearray(num_bytes)
        num_received = 0
        with memoryview(self._buffer)[:num_bytes] as data:
            while num_received < num_bytes:
                self._socket.settimeout(self._time_left())
                just_now = self._socket.recv_into(data[num_received:])
                if not just_now:
                    raise EOFError
                num_received += just_now
            return bytes(data)

    def _time_left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def _how_it_ended(self) -> str:
        try:
            status = self._process.wait(_LAST_WORDS_S)
        except subprocess.TimeoutExpired:
            return "closed its connection"
        if status >= 0:
            return f"ended with exit status {status}"
        return f"was ended by signal {-status} ({signal.strsignal(-status)})"

    def _not_started(self, why: str) -> UfdError:
        command = " ".join(self._command)
        return UfdError(f"the process that decodes images does not start ({command}): {why}")

    def _close_stderr(self) -> None:
        if self._process.stderr is not None:
            self._process.stderr.close()


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)
    # One thread of linear algebra: each takes address space, which is bounded.
    return kept | _ALLOCATOR | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
