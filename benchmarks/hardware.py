"""What machine a benchmark ran on, and what it ran."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile", "amx_bf16")
PACKAGES = (
    "torch",
    "triton",
    "torchvision",
    "open_clip_torch",
    "timm",
    "numpy",
    "scikit-learn",
    "ray",
    "faiss-cpu",
    "faiss-gpu-cuvs",
    "cuvs-cu12",
)
"""Those that are installed are told."""


def machine(device: str) -> dict[str, Any]:
    """Processor, memory, load, versions, and the GPU if it is one that is measured.

    Args:
        device: `cpu` or `cuda`.
    """
    cpu = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    model = re.search(r"model name\s*:\s*(.*)", cpu)
    flags = re.search(r"flags\s*:\s*(.*)", cpu)
    about: dict[str, Any] = {
        "cpu": model[1] if model else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "flags": [flag for flag in FLAGS if flags and flag in flags[1].split()],
        "torch_uses": torch.backends.cpu.get_cpu_capability(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "load_before": os.getloadavg()[0],
        "python": platform.python_version(),
        "versions": dict(_versions()),
    }
    if device == "cuda":
        free, total = torch.cuda.mem_get_info()
        about |= {
            "gpu": torch.cuda.get_device_name(),
            "gpu_memory_gib": round(total / 2**30, 1),
            "gpu_memory_free_gib": round(free / 2**30, 1),
            "cuda": torch.version.cuda,
        }
    return about


def _versions() -> Iterator[tuple[str, str]]:
    for name in PACKAGES:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue
