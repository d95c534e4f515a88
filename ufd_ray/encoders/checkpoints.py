"""Files with weights: where they are, how they are read, what is said when they do not fit."""

from __future__ import annotations

import pickle
import textwrap
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from zipfile import is_zipfile

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from ufd_ray.encoders.spec import EncoderSpec
from ufd_ray.encoders.torchscript import is_torchscript, read_torchscript
from ufd_ray.errors import SettingsError
from ufd_ray.storage import FileOnNode, StorageOptions, file_on_node

T = TypeVar("T")


_WRAPPED_AS = ("state_dict_ema", "model_ema", "state_dict", "model")
"""Entries of a training checkpoint that hold tensors; averaged ones first, as timm takes them."""


@dataclass(frozen=True)
class WeightsFile:
    """The file that an encoder's weights were read from: provenance, no part of its identity.

    Attributes:
        path: where it was read.
        source: path or URI as it was given, or where a tag's file came from.
        sha256: of its bytes, 64 hex digits.
        size_bytes: their number.
    """

    path: Path
    source: str
    sha256: str
    size_bytes: int

    @classmethod
    def seen(cls, file: FileOnNode, source: str) -> WeightsFile:
        """A file on this machine."""
        return cls(file.path, source, file.sha256, file.size_bytes)

    def to_dict(self) -> dict[str, Any]:
        """For JSON: `source`, `sha256`, `size_bytes`."""
        return {"source": self.source, "sha256": self.sha256, "size_bytes": self.size_bytes}


@contextmanager
def open_checkpoint(source: str, storage: StorageOptions) -> Iterator[WeightsFile]:
    """A local file with the checkpoint at `source` (path or URI) for as long as the block runs.

    Raises:
        SettingsError: nothing is there.
        StorageError: it cannot be read.
    """
    with ExitStack() as stack:
        try:
            file = stack.enter_context(file_on_node(source, storage))
        except FileNotFoundError as error:
            raise SettingsError(
                f"there is no weights file {source!r}; give an existing path or URI"
            ) from error
        yield WeightsFile.seen(file, source)


def read_state_dict(path: Path, prefix: str = "") -> dict[str, Tensor]:
    """The tensors of a file.

    It is `.safetensors`, a `torch.save` with nothing but data in it, or a TorchScript archive
    (OpenAI's own format), of which nothing is run. The entry of a training checkpoint that holds
    the weights, and the `module.` prefix of data-parallel training, are taken off.

    Args:
        path: a local file.
        prefix: where names begin with it, only those are read, and it is taken off.

    Raises:
        RuntimeError, ValueError, pickle.UnpicklingError, SafetensorError: it is none of these;
            `clear_checkpoint_errors` says so in one line.
    """
    if path.suffix == ".safetensors":
        with safe_open(path, framework="pt") as file:
            names = _chosen({name: name for name in file.keys()}, prefix)  # noqa: SIM118
            return {name: file.get_tensor(stored) for name, stored in names.items()}
    if is_torchscript(path):
        return _chosen(read_torchscript(path), prefix)
    # Mapped, the text side of a large checkpoint is never read; older files cannot be.
    content = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zipfile(path))
    if isinstance(content, dict):
        wrapped = (content.get(name) for name in _WRAPPED_AS)
        content = next((inner for inner in wrapped if isinstance(inner, dict)), content)
    if not isinstance(content, dict):
        raise TypeError(f"it holds a {type(content).__name__}, not tensors by name")
    return _chosen({name.removeprefix("module."): value for name, value in content.items()}, prefix)


def _chosen(found: Mapping[str, T], prefix: str) -> dict[str, T]:
    chosen = {k.removeprefix(prefix): v for k, v in found.items() if k.startswith(prefix)}
    return chosen or dict(found)


def check_finite(module: nn.Module, spec: EncoderSpec, file: WeightsFile) -> None:
    """Refuse weights with which every embedding would be useless.

    Raises:
        SettingsError: names the first tensor that has NaN or infinite numbers.
    """
    for name, tensor in module.state_dict().items():
        # Their sum is not finite where one of them is not, and takes a tenth of the time.
        if tensor.is_floating_point() and not tensor.sum().isfinite():
            bad = int((~torch.isfinite(tensor)).sum())
            if not bad:
                continue
            raise SettingsError(
                f"{file.path.name} for {spec}: {name} has {bad:,} of {tensor.numel():,} numbers NaN"
                " or infinite; expected finite numbers only: take another copy of the file"
            )


@contextmanager
def clear_checkpoint_errors(spec: EncoderSpec, file: Path) -> Iterator[None]:
    """Say in one line what is wrong with a checkpoint that the block reads and loads.

    Args:
        spec: whose weights it should hold.
        file: where it is.

    Raises:
        SettingsError: it cannot be read, or its tensors are not the architecture's.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of odd formats, and then refuses them
            yield
    except (
        RuntimeError, TypeError, ValueError, KeyError, AttributeError, EOFError, OSError,
        pickle.UnpicklingError, SafetensorError,
    ) as error:  # fmt: skip
        raise SettingsError(_explain(f"{file.name}, taken for {spec},", error)) from error


def _explain(source: str, error: Exception) -> str:
    text = str(error)
    if text.startswith("Error(s) in loading state_dict"):
        # Then follow, each on its line: missing keys, unexpected keys, shapes that differ.
        faults = [textwrap.shorten(line, 150, placeholder=" …") for line in text.split("\n")[1:]]
        return f"{source} does not fit the architecture: {' '.join(faults[:3])}"
    if isinstance(error, pickle.UnpicklingError):
        text = "not to be read without running code of it"  # torch's own advice is to do just that
    reason = textwrap.shorten(text, 150, placeholder=" …")
    return (
        f"{source} is no checkpoint of plain tensors; expected a torch.save of a state dict,"
        f" safetensors, or TorchScript ({type(error).__name__}: {reason})"
    )
