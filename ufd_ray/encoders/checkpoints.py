"""Files with weights: where they are, how they are read, what is said when they do not fit."""

from __future__ import annotations

import pickle
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ufd_ray.encoders.spec import EncoderSpec
from ufd_ray.errors import SettingsError, StorageError
from ufd_ray.storage.objects import local_copy
from ufd_ray.storage.stores import StorageOptions


@contextmanager
def open_checkpoint(source: str, storage: StorageOptions) -> Iterator[Path]:
    """A local file with the checkpoint at `source` (path or URI) for as long as the block runs.

    Raises:
        SettingsError: nothing is there.
        StorageError: it cannot be read.
    """
    with ExitStack() as stack:
        try:
            path = stack.enter_context(local_copy(source, storage))
        except FileNotFoundError as error:
            raise SettingsError(
                f"there is no weights file {source!r}; give an existing path or URI"
            ) from error
        yield path


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors of a `.safetensors` file, or of a `torch.save` with nothing but data in it.

    A training checkpoint's `state_dict` entry and the `module.` prefix of data-parallel training
    are taken off.

    Raises:
        RuntimeError, pickle.UnpicklingError, SafetensorError: it is neither;
            `clear_checkpoint_errors` says so in one line.
    """
    if path.suffix == ".safetensors":
        return load_file(path)
    content = torch.load(path, map_location="cpu", weights_only=True)
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict):
        raise TypeError(f"it holds a {type(content).__name__}, not tensors by name")
    return {name.removeprefix("module."): tensor for name, tensor in content.items()}


@contextmanager
def clear_checkpoint_errors(spec: EncoderSpec, file: Path | None) -> Iterator[None]:
    """Say in one line what is wrong with a checkpoint that the block reads and loads.

    Args:
        spec: whose weights it should hold.
        file: where it is; None: it was downloaded.

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
        source = f"{file.name}, given" if file is not None else "what was downloaded"
        raise SettingsError(_explain(f"{source} for {spec},", error)) from error


@contextmanager
def clear_download_errors(spec: EncoderSpec) -> Iterator[None]:
    """Say in one line that the block could not download a tag's weights, and what to do.

    Raises:
        StorageError: the download failed.
    """
    try:
        yield
    except RuntimeError:
        raise  # from loading, not from the network
    except Exception as error:  # each library and each hub client has its own
        reason = textwrap.shorten(str(error), 200, placeholder=" …")
        raise StorageError(
            f"the weights of {spec} cannot be downloaded; fetch the file elsewhere and give it"
            f" with --weights FILE ({type(error).__name__}: {reason})"
        ) from error


def _explain(source: str, error: Exception) -> str:
    text = str(error)
    if text.startswith("Error(s) in loading state_dict"):
        # Then follow, each on its line: missing keys, unexpected keys, shapes that differ.
        faults = [textwrap.shorten(line, 150, placeholder=" …") for line in text.split("\n")[1:]]
        return f"{source} does not fit the architecture: {' '.join(faults[:3])}"
    if "TorchScript" in text:
        return (
            f"{source} is a TorchScript archive, a program that is not run here; turn it into"
            " tensors once: torch.save(torch.jit.load(FILE, 'cpu').state_dict(), 'tensors.pt')"
        )
    if isinstance(error, pickle.UnpicklingError):
        text = "not to be read without running code of it"  # torch's own advice is to do just that
    reason = textwrap.shorten(text, 150, placeholder=" …")
    return (
        f"{source} is no checkpoint of plain tensors (torch.save of a state dict, or safetensors):"
        f" {type(error).__name__}, {reason}"
    )
