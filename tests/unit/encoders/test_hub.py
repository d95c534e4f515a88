"""Where a tag's file comes from, and what becomes of several workers when there is no hub."""

from __future__ import annotations

import hashlib
import threading
import time
import urllib.error
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

from ufd_ray.encoders import EncoderSpec, hub
from ufd_ray.encoders.hub import hub_file
from ufd_ray.errors import StorageError

TAGS = ["ViT-B-32:openai", "timm/resnet50:tv_in1k", "PE-Core-L-14-336:meta"]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, bool]]:
    """What the hub's client was asked for: repository, file, whether it may only look in its cache.

    The hub answers, and has no files.
    """
    calls: list[tuple[str, str, bool]] = []

    def refuse(repository: str, name: str, *, revision: Any, local_files_only: bool) -> str:
        calls.append((repository, name, local_files_only))
        raise LocalEntryNotFoundError("-") if local_files_only else EntryNotFoundError("404")

    monkeypatch.setattr(hub, "hf_hub_download", refuse)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub, "_answers", lambda endpoint: True)
    return calls


@pytest.mark.parametrize(
    ("spec", "repository", "names"),
    [
        (
            "ViT-L-14-quickgelu:openai",
            "timm/vit_large_patch14_clip_224.openai",
            ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"],
        ),
        (
            "timm/vit_large_patch16_dinov3:lvd1689m",
            "timm/vit_large_patch16_dinov3.lvd1689m",
            ["model.safetensors", "pytorch_model.bin"],
        ),
        (
            "PE-Core-L-14-336:meta",
            "timm/PE-Core-L-14-336",
            ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"],
        ),
    ],
)
def test_safetensors_are_asked_for_first(
    spec: str, repository: str, names: list[str], asked: list[tuple[str, str, bool]]
) -> None:
    with pytest.raises(StorageError, match="--weights FILE"):
        hub_file(EncoderSpec.parse(spec))
    assert asked == [(repository, name, False) for name in names]


@pytest.mark.parametrize("spec", TAGS)
def test_a_hub_that_does_not_answer_is_asked_once(
    spec: str, asked: list[tuple[str, str, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "_answers", lambda endpoint: False)
    complaint = f"the weights of {spec} cannot .*--weights FILE .*the hub does not answer"
    with pytest.raises(StorageError, match=complaint) as caught:
        hub_file(EncoderSpec.parse(spec))
    assert "\n" not in str(caught.value)
    assert all(cached_only for _, _, cached_only in asked)  # never a minute of tries for each file


def test_nothing_secret_of_a_mirror_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "https://somebody:hush@mirror.invalid")
    monkeypatch.setattr(hub, "_answers", lambda endpoint: True)
    monkeypatch.setattr(hub, "hf_hub_download", lambda *_, **__: str(tmp_path / "w"))
    _, source = hub_file(EncoderSpec.parse("PE-Core-L-14-336:meta"))
    assert "hush" not in source
    assert source.endswith("/timm/PE-Core-L-14-336/open_clip_model.safetensors")


def test_what_is_cached_needs_no_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "model.safetensors"
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub, "hf_hub_download", lambda *_, **__: str(file))
    found, source = hub_file(EncoderSpec.parse("timm/resnet50:tv_in1k"))
    assert found == file
    assert source.endswith("/timm/resnet50.tv_in1k/model.safetensors")


@pytest.mark.parametrize(
    ("error", "answers"),
    [
        (urllib.error.HTTPError("u", 403, "no", None, None), True),  # type: ignore[arg-type]
        (urllib.error.URLError("nobody"), False),
        (TimeoutError(), False),
    ],
)
def test_an_answer_is_an_answer_whatever_it_says(
    error: Exception, answers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(urllib.request, "urlopen", fail)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    assert hub._answers("https://hub.invalid") == answers


def test_files_by_url_are_downloaded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    digits = hashlib.sha256(b"weights").hexdigest()[:8]
    source = tmp_path / f"net-{digits}.pth"
    source.write_bytes(b"weights")
    found = hub._from_url(source.as_uri())
    assert found.read_bytes() == b"weights"
    source.unlink()
    assert hub._from_url(source.as_uri()) == found
    other = tmp_path / "net-00000000.pth"
    other.write_bytes(b"others")
    with pytest.raises(RuntimeError, match="hash"):
        hub._from_url(other.as_uri())
    assert not (found.parent / other.name).exists()


def test_those_that_wait_fail_with_the_one_that_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UFD_RAY_CACHE", str(tmp_path))
    tries, others_wait = [], threading.Event()

    def fail() -> Any:
        tries.append(1)
        others_wait.wait(timeout=30)
        time.sleep(0.1)  # and the file system's clock, which moves in steps, moves on
        raise ConnectionError("the hub does not answer")

    monkeypatch.setattr(hub, "_finder", lambda spec: fail)
    in_line, one_at_a_time = threading.Barrier(4, action=others_wait.set), hub.one_at_a_time

    def stand_in_line(name: str) -> Any:
        if not others_wait.is_set():
            in_line.wait()
        return one_at_a_time(name)

    monkeypatch.setattr(hub, "one_at_a_time", stand_in_line)

    def worker() -> str:
        with pytest.raises(StorageError) as caught:
            hub_file(EncoderSpec.parse("ViT-B-32:openai"))
        return str(caught.value)

    with ThreadPoolExecutor(4) as pool:
        told = [future.result() for future in [pool.submit(worker) for _ in range(4)]]
    assert len(tries) == 1
    assert all("the hub does not answer" in text for text in told)
    # Whoever comes later tries by himself.
    with pytest.raises(StorageError):
        hub_file(EncoderSpec.parse("ViT-B-32:openai"))
    assert len(tries) == 2


def test_without_a_folder_everybody_tries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("UFD_RAY_CACHE", str(tmp_path / "file" / "below"))
    monkeypatch.setattr(hub, "_finder", lambda spec: lambda: (tmp_path, "here"))
    assert hub_file(EncoderSpec.parse("ViT-B-32:openai")) == (tmp_path, "here")
