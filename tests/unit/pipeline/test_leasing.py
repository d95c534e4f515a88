"""An output that one process at a time has to itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ufd_ray.pipeline.leasing import leased
from ufd_ray.storage import StorageOptions

HERE = StorageOptions()


def names_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_what_is_done_is_all_that_stays(tmp_path: Path) -> None:
    with leased(str(tmp_path), "done.json", HERE) as lease:
        assert names_in(tmp_path) == ["lease/00000001.json"]
        lease.check()
        lease.end()
        (tmp_path / "done.json").touch()
    assert names_in(tmp_path) == ["done.json"]


def stopped_after(work: Callable[[], object], folder: Path) -> None:
    with leased(str(folder), "done.json", HERE):
        work()
        raise KeyboardInterrupt


def test_who_fails_leaves_no_lease(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        stopped_after((tmp_path / "half").touch, tmp_path)
    assert names_in(tmp_path) == ["half"]


def test_a_rivals_lease_is_not_touched(tmp_path: Path) -> None:
    def take_over() -> None:
        for number in range(2, 20):  # whatever is renewed meanwhile comes too late
            file = tmp_path / "lease" / f"{number:08d}.json"
            if not file.exists():
                taken = {"holder": "rival", "lease_s": 60, "released": False}
                file.write_text(json.dumps(taken))

    with pytest.raises(KeyboardInterrupt):
        stopped_after(take_over, tmp_path)
    assert "lease/00000019.json" in names_in(tmp_path)
