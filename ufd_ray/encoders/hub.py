"""The files behind the libraries' pretrained tags: cached on this machine, or downloaded once."""

from __future__ import annotations

import os
import ssl
import textwrap
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import torch.hub
from huggingface_hub import constants, hf_hub_download
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

from ufd_ray.encoders.activation import architecture_as_trained
from ufd_ray.encoders.spec import EncoderSpec
from ufd_ray.errors import SettingsError, StorageError
from ufd_ray.redaction import redact
from ufd_ray.storage import one_at_a_time

_SAFE_TWINS = {
    "open_clip_pytorch_model.bin": "open_clip_model.safetensors",
    "pytorch_model.bin": "model.safetensors",
}
_ANSWERS_WITHIN_S = 10.0


def hub_file(spec: EncoderSpec) -> tuple[Path, str]:
    """The checkpoint of a tag.

    Of several processes of a machine that want the same one, one downloads; if it fails, so do
    those that waited for it, at once.

    Args:
        spec: with a tag.

    Returns:
        The file in the cache of the hub's client, and where it came from.

    Raises:
        SettingsError: the library names no file for the tag.
        StorageError: the file cannot be had; the message names the flag that takes one.
    """
    find = _finder(spec)
    with ExitStack() as stack:
        stack.enter_context(_clear_errors(spec))
        stack.enter_context(_failing_together(str(spec)))
        return find()


def _finder(spec: EncoderSpec) -> Callable[[], tuple[Path, str]]:
    """What fetches the file, after a look into the library's own table of tags."""
    url, hub, name = "", "", ""
    match spec.library:
        case "torchvision":
            import torchvision

            url = torchvision.models.get_model_weights(spec.name)[spec.weights].url
        case "open_clip":
            import open_clip

            arch = architecture_as_trained(spec.name, spec.weights)
            entry: dict[str, Any] = open_clip.get_pretrained_cfg(arch, spec.weights)
            url, (hub, name) = entry.get("url", ""), os.path.split(entry.get("hf_hub", ""))
            name = name or "open_clip_pytorch_model.bin"
        case "timm":
            from timm.models import get_pretrained_cfg

            config = get_pretrained_cfg(f"{spec.name}.{spec.weights}")
            url, hub = config.url or "", config.hf_hub_id or ""
            name = config.hf_hub_filename or "pytorch_model.bin"
    if hub:
        return lambda: _from_hugging_face(hub, name)
    if url:
        return lambda: (_from_url(url), url)
    raise SettingsError(f"{spec}: its library names no file; give one with --weights FILE")


def _from_hugging_face(repository: str, name: str) -> tuple[Path, str]:
    repository, _, revision = repository.partition("@")
    stem, ending = os.path.splitext(name)
    twin = _SAFE_TWINS.get(name, f"{stem}.safetensors" if ending in (".bin", ".pth") else name)
    missing = None
    if constants.HF_HUB_OFFLINE:
        missing = "HF_HUB_OFFLINE is set, and it is not cached here"
    elif not _answers(constants.ENDPOINT):
        missing = "the hub does not answer, and it is not cached here"
    for candidate in dict.fromkeys((twin, name)):
        with suppress(LocalEntryNotFoundError if candidate == name else EntryNotFoundError):
            found = hf_hub_download(
                repository, candidate, revision=revision or None, local_files_only=bool(missing)
            )
            return Path(found), redact(f"{constants.ENDPOINT}/{repository}/{candidate}")
    raise ConnectionError(f"{repository}/{name}: {missing or 'the hub stopped answering'}")


def _from_url(url: str) -> Path:
    name = os.path.basename(url.partition("?")[0])
    file = Path(torch.hub.get_dir(), "checkpoints", name)
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        digits = torch.hub.HASH_REGEX.search(name)  # the first digits of its SHA-256
        torch.hub.download_url_to_file(url, str(file), digits and digits[1], progress=False)
    return file


def _answers(endpoint: str) -> bool:
    """Whether anybody is there. The hub's own client finds out in a minute, once for each file."""
    request = urllib.request.Request(endpoint, method="HEAD")  # noqa: S310 (the hub's, or HF_ENDPOINT)
    for pause_s in (0, 1):
        time.sleep(pause_s)
        try:
            with urllib.request.urlopen(request, timeout=_ANSWERS_WITHIN_S):  # noqa: S310 (as above)
                return True
        except urllib.error.HTTPError:
            return True  # it says no, but it says something
        except OSError as error:
            # The hub's client brings certificates of its own.
            if isinstance(getattr(error, "reason", None), ssl.SSLError):
                return True
    return False


@contextmanager
def _clear_errors(spec: EncoderSpec) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # each library and each hub client has its own
        reason = textwrap.shorten(str(error), 200, placeholder=" …")
        raise StorageError(
            f"the weights of {spec} cannot be downloaded; fetch the file elsewhere and give it"
            f" with --weights FILE ({type(error).__name__}: {reason})"
        ) from error


@contextmanager
def _failing_together(name: str) -> Iterator[None]:
    """Let one process of this machine at a time into the block; its failure ends those in line."""
    begun = time.time()
    with ExitStack() as stack:
        try:
            note = stack.enter_context(one_at_a_time(f"hub {name}")).with_suffix(".failed")
        except OSError:
            yield  # no folder for that: each for itself
            return
        if note.is_file() and note.stat().st_mtime > begun:
            raise ConnectionError(note.read_text())
        try:
            yield
        except Exception as error:
            note.write_text(f"{type(error).__name__}: {error}")
            raise
        note.unlink(missing_ok=True)
