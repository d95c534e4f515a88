from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ufd_ray.errors import SettingsError, StorageError
from ufd_ray.storage import (
    StorageOptions,
    network_file,
    read_baseline_info,
    write_document,
    write_network,
)

HERE = StorageOptions()
CONTENT: dict[str, Any] = {
    "name": "co-occurrence",
    "arch": "conv-8-16-32",
    "options": {"offset": "1"},
    "starts_from": None,
    "is_published": False,
    "thresholds": {"default": 0.5, "tuned": 0.25},
    "counts": {"train": {"source": {"progan": 7, "lsun": 7}}},
    "settings": {"input": ["/train"]},
}


def make(folder: Path, **changes: Any) -> str:
    source = folder / "somewhere.safetensors"
    folder.mkdir()
    source.write_bytes(b"numbers")
    network = write_network(str(folder / "baseline"), source, HERE)
    write_document(
        str(folder / "baseline"), "baseline.json", CONTENT | {"network": network} | changes, HERE
    )
    return str(folder / "baseline")


def test_what_was_written_is_read(tmp_path: Path) -> None:
    uri = make(tmp_path / "a")
    info = read_baseline_info(uri, "--compare-baseline a", HERE)
    assert (info.name, info.arch, info.options) == (
        "co-occurrence",
        "conv-8-16-32",
        {"offset": "1"},
    )
    assert (info.thresholds["tuned"], info.is_published) == (0.25, False)
    assert (info.sources, info.inputs) == (("progan", "lsun"), ("/train",))
    with network_file(info, HERE) as file:
        assert file.read_bytes() == b"numbers"
    assert info.describe()["sha256"] == info.sha256


def test_another_network_than_the_one_that_was_written_is_refused(tmp_path: Path) -> None:
    uri = make(tmp_path / "a")
    info = read_baseline_info(uri, "--compare-baseline a", HERE)
    file = Path(uri, "baseline.safetensors")
    file.write_bytes(b"others")
    with (
        pytest.raises(StorageError, match=r"baseline\.safetensors is damaged"),
        network_file(info, HERE),
    ):
        pass
    file.unlink()
    with pytest.raises(StorageError, match="there is no such file"), network_file(info, HERE):
        pass


@pytest.mark.parametrize(
    "changes",
    [
        {"network": None},
        {"network": {}},
        {"options": ["a"]},
        {"thresholds": {"default": 2}},
        {"thresholds": None},
        {"counts": {"train": None}},
        {"settings": {}},
    ],
)
def test_a_document_that_cannot_be_used(tmp_path: Path, changes: dict[str, Any]) -> None:
    uri = make(tmp_path / "a", **changes)
    with pytest.raises(SettingsError, match=r"--compare-baseline a=.*: unusable"):
        read_baseline_info(uri, f"--compare-baseline a={uri}", HERE)


def test_no_baseline(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"there is no baseline\.json"):
        read_baseline_info(str(tmp_path), "--compare-baseline a", HERE)
