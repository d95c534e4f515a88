"""What this machine's processor can do."""

from __future__ import annotations

import torch


def fast_bf16() -> str | None:
    """The instructions by which this machine's CPU multiplies bfloat16; None: it has none.

    Without them bf16 is computed as well, more slowly than fp32. Those of ARM have not been
    measured, and do not count.
    """
    has = torch.cpu.get_capabilities()
    for capability, name in (("amx_bf16", "AMX"), ("avx512_bf16", "AVX512-BF16")):
        if has.get(capability, False):
            return name
    return None
