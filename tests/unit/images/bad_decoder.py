"""The program that decodes, with a decoder that does to itself whatever a file tells it to."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

from ufd_ray.errors import DecodeError, ErrorCode
from ufd_ray.images.child import decode_file, serve
from ufd_ray.images.wire import Decoded, Request

CONNECTION = 0
HEAVY = {
    *(
        "asyncio",
        "boto3",
        "multiprocessing",
        "obstore",
        "pyarrow",
        "pydantic",
        "ray",
        "scipy",
        "torch",
    )
}
_deeds: list[bytes] = []


def obey(request: Request) -> Decoded:
    """Decode an image; do what any other file says."""
    if b"harm the next" in _deeds:
        os.kill(os.getpid(), signal.SIGSEGV)
    _deeds.append(request.data)
    match request.data.split(b" > "):
        case [b"crash"]:
            os.kill(os.getpid(), signal.SIGSEGV)
        case [b"spin"]:
            while True:
                pass
        case [b"doze"]:
            time.sleep(1)
            return said("late")
        case [b"exit"]:
            os._exit(3)
        case [b"raise"]:
            raise RuntimeError
        case [b"gorge"]:
            return said("x" * resource.getrlimit(resource.RLIMIT_AS)[0])
        case [b"hang up"]:
            os.close(CONNECTION)
            time.sleep(3600)
        case [b"answer", answer]:
            os.write(CONNECTION, answer)
            time.sleep(3600)
        case [b"harm the next"]:
            return Decoded(error=DecodeError(ErrorCode.CORRUPT, "harmed"))
        case [b"write", path]:
            return said(wrote(Path(os.fsdecode(path))))
        case [b"tell"]:
            loaded = sorted(HEAVY & set(sys.modules))
            return said(json.dumps({"environment": sorted(os.environ), "loaded": loaded}))
    return decode_file(request)


def wrote(path: Path) -> str:
    """What comes of writing a file."""
    try:
        return str(path.write_bytes(b"x"))
    except OSError as error:
        return str(error)


def said(message: str) -> Decoded:
    """A word to the test."""
    return Decoded(error=DecodeError(ErrorCode.CORRUPT, message))


if __name__ == "__main__":
    serve(obey, int(sys.argv[1]), float(sys.argv[2]))
