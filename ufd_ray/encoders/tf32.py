"""fp32 that is fp32, on GPUs as well."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_LOCK = threading.Lock()


@contextmanager
def without_tf32() -> Iterator[None]:
    """Let the block's convolutions and products keep all 24 bits, of which TF32 keeps 11.

    torch takes TF32 for convolutions unless it is told not to, and 1e-5 could not be promised then.
    The switches are the process's: one block at a time, and they are put back.
    """
    convolutions, products = torch.backends.cudnn, torch.backends.cuda.matmul
    with _LOCK:
        before = convolutions.allow_tf32, products.allow_tf32
        convolutions.allow_tf32 = products.allow_tf32 = False
        try:
            yield
        finally:
            convolutions.allow_tf32, products.allow_tf32 = before
