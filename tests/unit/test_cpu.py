from __future__ import annotations

import pytest
import torch

from ufd_ray.cpu import fast_bf16


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx512_bf16": True, "amx_bf16": True}, "AMX"),
        ({"avx512_bf16": True, "amx_bf16": False}, "AVX512-BF16"),
        ({"avx512_bf16": False, "avx2": True}, None),
        ({"bf16": True}, None),  # ARM's: not measured
    ],
)
def test_which_cpus_are_fast_in_bf16(
    capabilities: dict[str, bool], expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert fast_bf16() == expected
