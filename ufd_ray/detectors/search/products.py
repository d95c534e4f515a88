"""Matrix products whose rounding errors are bounded: nothing faster and coarser is let in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch


class Products:
    """Products of tiles and queries, in one buffer that every product overwrites."""

    def __init__(self) -> None:
        self._buffer: torch.Tensor | None = None
        self._is_alone = torch.get_num_threads() == 1

    def __call__(self, rows: torch.Tensor, queries: torch.Tensor) -> torch.Tensor:
        """(t, d) and (q, d) → (t, q), in their precision; valid until the next call."""
        # Rows first: a processor's library repacks the second matrix, and queries are few.
        num = len(rows) * len(queries)
        if self._buffer is None or self._buffer.numel() < num:
            self._buffer = torch.empty(num, dtype=rows.dtype, device=rows.device)
        out = self._buffer[:num].view(len(rows), len(queries))
        if rows.dtype == torch.float32 and rows.device.type == "cpu" and self._is_alone:
            # The same product of another library, on processors without AVX-512 a tenth faster.
            np.matmul(rows.numpy(), queries.numpy().T, out=out.numpy())
            return out
        return torch.mm(rows, queries.t(), out=out)


@contextmanager
def bounded_products(device: torch.device) -> Iterator[None]:
    """Hold off what a process may have allowed, and what errs by more than the bounds say.

    That is TF32 and bfloat16 in float32 products, and sums in half precision.
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
        yield
