"""What a machine can do at most, where `stages.py` says how near a stage comes to it."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from encoder_product import product_rate

SECONDS = 0.2
"""For which one of these is repeated, at least."""
PIECE = 2**20
COPIED = 2**26
"""Bytes of a copy: more than caches hold."""
PRODUCT = {"cpu": 2048, "cuda": 8192}
"""Side of the square product."""


def copy_rate() -> float:
    """Bytes/s of one thread that copies memory."""
    source = np.ones(COPIED, np.uint8)
    target = np.ones(COPIED, np.uint8)  # ones, so that its pages are there
    return _repeated(lambda: np.copyto(target, source)) * COPIED


def hash_rate(num_bytes: int) -> float:
    """SHA-256 digests a second of so many bytes."""
    data = bytes(num_bytes)
    return _repeated(lambda: hashlib.sha256(data).digest())


def loopback_rate() -> float:
    """Bytes/s through one TCP connection on loopback, a thread at either end."""
    piece, num_pieces = bytes(PIECE), 256
    with socket.create_server(("127.0.0.1", 0)) as server:

        def send() -> None:
            connection, _ = server.accept()
            with connection:
                for _ in range(num_pieces):
                    connection.sendall(piece)

        sender = threading.Thread(target=send)
        sender.start()
        buffer, received = bytearray(PIECE), 0
        with socket.create_connection(server.getsockname()) as connection:
            begun = time.perf_counter()
            while count := connection.recv_into(buffer):
                received += count
            took = time.perf_counter() - begun
        sender.join()
    return received / took


def write_rate(folder: Path, num_bytes: int) -> float:
    """Bytes/s of a file written to its end, and not waited for to be on the disk."""
    path, piece = folder / "plain-write", bytes(PIECE)
    begun = time.perf_counter()
    with path.open("wb", buffering=0) as file:
        for _ in range(-(-num_bytes // PIECE)):
            file.write(piece)
    took = time.perf_counter() - begun
    path.unlink()
    return -(-num_bytes // PIECE) * PIECE / took


def square_product_rate(dtype: torch.dtype, device: str) -> float:
    """FLOP/s of a large square product with a bias."""
    side = PRODUCT[device]
    return float(product_rate((side, side, side), dtype, device, 1)["flops"])


def _repeated(run: Callable[[], object]) -> float:
    """Times a second."""
    begun, times = time.perf_counter(), 0
    while times == 0 or time.perf_counter() - begun < SECONDS:
        run()
        times += 1
    return times / (time.perf_counter() - begun)
