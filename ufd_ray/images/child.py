"""The program that decodes, in a process of its own: `python -m ufd_ray.images.child`.

It reads requests from the socket that is its standard input, answers on the same one, and ends
with it, so it never outlives the process that started it by more than an image.
"""

from __future__ import annotations

import math
import os
import resource
import socket
import sys
from collections.abc import Callable
from dataclasses import replace

from PIL import AvifImagePlugin, Image

from ufd_ray.errors import DecodeError, ErrorCode
from ufd_ray.images.aligning import align
from ufd_ray.images.crop_decoding import decode_crop
from ufd_ray.images.cropping import on_black, to_pixels
from ufd_ray.images.decoding import decode
from ufd_ray.images.forms import make_forms
from ufd_ray.images.pixel_recipe import make_by_recipe
from ufd_ray.images.traits import read_traits
from ufd_ray.images.views import make_views
from ufd_ray.images.wire import READY, Decoded, Request, answer_bytes, read_request


def decode_file(request: Request) -> Decoded:
    """Decode a file, align it where that is wanted, and make of it what is.

    Raises:
        MemoryError: the process's bound was reached.
    """
    if request.alignment is None:
        return _with_traits(_decode(request), request, request.data)
    facts, size = Decoded(), request.alignment.size
    try:
        crop = decode_crop(request.data, max_pixels=request.max_pixels, size=size)
        facts = Decoded(crop.format, *crop.sides)
        aligned = align(crop, request.alignment)
    except DecodeError as error:
        return replace(facts, error=error)
    done = _decode(replace(request, data=aligned))
    done = replace(done, format=facts.format, width=facts.width, height=facts.height)
    return _with_traits(done, request, request.data, aligned)


def _with_traits(done: Decoded, request: Request, *files: bytes) -> Decoded:
    if not request.with_traits or done.error is not None:
        return done
    traits = (read_traits(file, max_pixels=request.max_pixels) for file in files)
    return replace(done, traits=tuple(traits))


def _decode(request: Request) -> Decoded:
    """Cut out of a file what the encoder sees, and make the views or forms that are wanted."""
    facts = Decoded()
    recipe = request.by_recipe
    try:
        is_cut_out = request.mode == "crop" if recipe is None else recipe.recipe.is_plain
        if is_cut_out and not request.num_views:
            crop = decode_crop(request.data, max_pixels=request.max_pixels, size=request.size)
            facts = Decoded(crop.format, *crop.sides)
            return replace(facts, pixels=on_black(crop.shown, request.size).tobytes())
        image = decode(request.data, max_pixels=request.max_pixels)
        facts = Decoded(image.format, image.width, image.height)
        mode, size = request.mode, request.size
        if recipe is None:
            pixels = to_pixels(image, mode=mode, size=size).tobytes()
        else:
            pixels = make_by_recipe(image, recipe).tobytes()
        if request.views is not None:
            views = make_views(image, request.views, size).tobytes()
        elif request.forms:
            views = make_forms(image, request.forms, mode=mode, size=size).tobytes()
        else:
            views = None
        return replace(facts, pixels=pixels, view_pixels=views)
    except DecodeError as error:
        return replace(facts, error=error)


def serve(decode_one: Callable[[Request], Decoded], memory_mb: int, timeout_s: float) -> None:
    """Answer requests until the other side is gone.

    Args:
        decode_one: what is done with each.
        memory_mb: address space of this process, MiB.
        timeout_s: after how many seconds the other side gives an image up.
    """
    Image.init()  # loaders are files, too: open them while there is room for it
    # A thread a core, by default: each with address space that counts against the bound.
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    confine(memory_mb)
    connection = socket.socket(fileno=0)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libtiff writes there of its own accord
    connection.sendall(READY)

    def receive(num_bytes: int) -> bytes:
        data = connection.recv(num_bytes, socket.MSG_WAITALL) if num_bytes else b""
        if len(data) < num_bytes:
            raise EOFError
        return data

    while True:
        try:
            request = read_request(receive)
        except EOFError:
            return
        bound_cpu_time(2 * timeout_s)
        try:
            answer = decode_one(request)
        except MemoryError:
            message = f"needs more than the allowed {memory_mb} MiB (--decode-memory-mb)"
            answer = Decoded(error=DecodeError(ErrorCode.CRASHED, message))
        connection.sendall(answer_bytes(answer))


def confine(memory_mb: int) -> None:
    """Take from this process, for good, what no decoder needs."""
    for kind, wanted in (
        (resource.RLIMIT_AS, memory_mb * 2**20),
        (resource.RLIMIT_NOFILE, 16),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, most = resource.getrlimit(kind)
        bound = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
        resource.setrlimit(kind, (bound, bound))


def bound_cpu_time(seconds: float) -> None:
    """Let the system end this process after so much more work, should nobody else be left to."""
    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    bound = math.ceil(used + seconds) + 1
    if most == resource.RLIM_INFINITY or bound < most:
        resource.setrlimit(resource.RLIMIT_CPU, (bound, most))


if __name__ == "__main__":
    serve(decode_file, int(sys.argv[1]), float(sys.argv[2]))
