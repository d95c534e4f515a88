"""Matrix products whose rounding errors are bounded: nothing faster and coarser is let in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch


class Products:
    """Products of tiles and queries, in one buffer that every product overwrites."""

    def __init__(self) -> None:
        self._buffer: torch.Tensor | None = None

    def __call__(self, rows: torch.Tensor, queries: torch.Tensor) -> torch.Tensor:
        """(t, d) and (q, d) → (t, q), in their precision; valid until the next call."""
        # Rows first: a processor's library repacks the second matrix, and queries are few.
        num = len(rows) * len(queries)
        if self._buffer is None or self._buffer.numel() < num:
            self._buffer = torch.empty(num, dtype=rows.dtype, device=rows.device)
        out = self._buffer[:num].view(len(rows), len(queries))
        return torch.mm(rows, queries.t(), out=out)


@contextmanager
def bounded_products(device: torch.device) -> Iterator[None]:
    """Hold off what a process may have allowed, and what errs by more than the bounds say.

    That is TF32 and bfloat16 in float32 products, autocast, and sums in half precision.
    """
    cuda: Any = torch.backends.cuda.matmul
    mkldnn: Any = torch.backends.mkldnn
    backend = cuda if device.type == "cuda" else mkldnn.matmul
    held: list[tuple[Any, str, Any]] = [(backend, "fp32_precision", "ieee")]
    if device.type == "cuda":
        held += [
            (cuda, "allow_fp16_reduced_precision_reduction", False),
            (cuda, "allow_bf16_reduced_precision_reduction", False),
            (cuda, "allow_fp16_accumulation", False),
        ]
    with ExitStack() as stack:
        for owner, name, value in held:
            stack.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, value)
        stack.enter_context(torch.autocast(device.type, enabled=False))
        yield
