from __future__ import annotations

import pytest

from ufd_ray.storage.runs import pruning


@pytest.fixture
def short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a killed prune leaves behind is waited for as long as this."""
    monkeypatch.setattr(pruning, "_LEASE_S", 0.02)
