"""What is freed stays with the process, so that no page of it has to be taken anew."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from ufd_ray.pipeline.memory import KEEPING_MEMORY

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="another C library, which passes over it"
)

FAULTS = """
import resource, sys, threading
from ufd_ray.pipeline.memory import keep_memory

def fault():
    for _ in range(3):  # 48 MiB, above what an arena gives from what it keeps
        bytearray(48 * 2**20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        bytearray(48 * 2**20)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

how = sys.argv[1]
if how.startswith("kept"):
    keep_memory()
if how.endswith("thread"):
    thread = threading.Thread(target=fault)
    thread.start()
    thread.join()
else:
    fault()
"""


def faults(how: str, **environment: str) -> int:
    known = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    command = [sys.executable, "-c", FAULTS, how]
    done = subprocess.run(
        command, env=known | environment, capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def test_memory_is_kept_in_every_thread() -> None:
    assert faults("plain") > 100  # five times 12,288 pages, or 24 huge ones
    assert faults("kept") < 20
    assert faults("thread") > 100
    assert faults("kept thread") < 20
    assert faults("thread", **KEEPING_MEMORY) < 20
