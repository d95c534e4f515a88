"""One hash for all tensors of a network."""

from __future__ import annotations

import hashlib

import torch
from torch import nn


def weights_digest(module: nn.Module) -> str:
    """SHA-256 over the tensors of a module's state dict, to be taken before any precision cast.

    Goes over names, dtypes, shapes and bytes, in the order of the names. Batch normalisation's
    count of the batches it has seen is left out: it decides nothing, and of two checkpoints with
    the same weights often one has it.

    Args:
        module: on any device.

    Returns:
        64 hex digits.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        if name.endswith("num_batches_tracked"):
            continue
        shape = ",".join(map(str, tensor.shape))
        digest.update(f"{name} {tensor.dtype} {shape}\n".encode())
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy())
    return digest.hexdigest()
