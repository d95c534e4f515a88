"""The tensors of a TorchScript archive, without running or compiling anything that is in it.

OpenAI publishes CLIP in this format: a zip with a program (`code/`), a pickle of the module tree
(`data.pkl`) and one record of raw numbers for each storage (`data/0`, `data/1`, …). Here the
program is not looked at, and the pickle is read by an unpickler that knows what tensors are made of
and nothing else: modules become plain holders of their attributes.
"""

from __future__ import annotations

import io
import math
import pickle
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
_LISTS = ("build_intlist", "build_doublelist", "build_boollist", "build_tensorlist")
_LARGEST_PICKLE = 64 * 2**20
"""Bytes; that of the largest CLIP has a few hundred thousand."""
_LARGEST_TREE = 100_000
"""Modules and tensors; modules that hold themselves would never end."""


def is_torchscript(path: Path) -> bool:
    """Whether a file is a TorchScript archive, by the names of its records."""
    if not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.partition("/")[2] for name in archive.namelist()]
    except zipfile.BadZipFile:
        return False
    return "constants.pkl" in names and any(name.startswith("code/") for name in names)


def read_torchscript(path: Path) -> dict[str, Tensor]:
    """Every tensor of an archive, by the name that it has in the module's state dict.

    Tensors that are plain attributes of a module, neither parameter nor buffer, are among them:
    only the program would tell them apart.

    Raises:
        ValueError: the archive is damaged, or its pickle holds other things than a module tree.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            records = _Records(archive)
            root = _Unpickler(io.BytesIO(records.read("data.pkl", _LARGEST_PICKLE))).load()
            storages: dict[tuple[str, torch.dtype], Tensor] = {}
            return {name: plan.build(records, storages) for name, plan in _walk(root).items()}
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise ValueError(f"damaged archive ({error})") from error
    except (
        pickle.UnpicklingError, AttributeError, IndexError, TypeError, KeyError, MemoryError
    ) as error:  # fmt: skip
        raise ValueError(f"data.pkl holds other things than tensors ({error})") from error


class _Records:
    """The records of an archive, which torch stores as they are, below one folder."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        roots = {name.partition("/")[0] for name in archive.namelist()}
        if len(roots) != 1:
            raise ValueError(f"records below {len(roots)} folders; expected one")
        self._root = roots.pop()
        order = f"{self._root}/byteorder"
        if order in archive.namelist() and self.read("byteorder", 6) != b"little":
            raise ValueError("numbers in big-endian order; expected little-endian")

    def read(self, name: str, most_bytes: int) -> bytes:
        """The bytes of a record; their checksum is compared."""
        try:
            entry = self._archive.getinfo(f"{self._root}/{name}")
        except KeyError:
            raise ValueError(f"no record {name} in it") from None
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > most_bytes:
            raise ValueError(
                f"record {name} has {entry.file_size:,} bytes; expected at most {most_bytes:,}, not"
                " compressed"
            )
        return self._archive.read(entry)


@dataclass
class _Storage:
    """Numbers of a record, not read yet."""

    key: str
    dtype: torch.dtype
    numel: int


@dataclass
class _Plan:
    """A tensor, not made yet: a view of a storage. All fields are a stranger's."""

    storage: _Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    def build(self, records: _Records, storages: dict[tuple[str, torch.dtype], Tensor]) -> Tensor:
        """Make the tensor, after all its numbers have been compared with what there is."""
        storage = self.storage
        sizes = (*self.size, *self.stride, self.offset, storage.numel)
        # Not told what they are: whatever else they hold may be endless as a text.
        if not all(type(n) is int and 0 <= n < 2**48 for n in sizes):
            raise ValueError("a tensor whose sizes, strides or offset are no whole numbers")
        if len(self.size) != len(self.stride):
            raise ValueError(f"shape {self.size} with strides {self.stride}")
        num_elements = math.prod(self.size)
        last = sum((n - 1) * step for n, step in zip(self.size, self.stride, strict=True))
        # Strides of 0 would repeat numbers: large tensors out of small files.
        if num_elements and max(num_elements, self.offset + last + 1) > storage.numel:
            raise ValueError(f"a tensor of shape {self.size} in a storage of {storage.numel:,}")
        key = (storage.key, storage.dtype)
        if key not in storages:
            storages[key] = _read_storage(storage, records)
        return storages[key].as_strided(self.size, self.stride, self.offset)


def _read_storage(storage: _Storage, records: _Records) -> Tensor:
    num_bytes = storage.numel * storage.dtype.itemsize
    data = records.read(f"data/{storage.key}", num_bytes)
    if len(data) != num_bytes:
        raise ValueError(
            f"record data/{storage.key} has {len(data):,} bytes; expected {num_bytes:,}"
        )
    if not data:
        return torch.empty(0, dtype=storage.dtype)
    with warnings.catch_warnings():
        # `bytes` cannot be written to, nor does anybody: the tensors are copied into a module.
        warnings.simplefilter("ignore", UserWarning)
        return torch.frombuffer(data, dtype=storage.dtype)


def _walk(root: Any) -> dict[str, _Plan]:
    """The tensors of a module tree, by dotted names."""
    found: dict[str, _Plan] = {}
    waiting, num_seen = [("", root)], 0
    while waiting:
        prefix, module = waiting.pop()
        num_seen += 1
        size = num_seen + len(found) + len(waiting)
        if not isinstance(module, _Module) or size > _LARGEST_TREE:
            raise ValueError(
                f"data.pkl holds no tree of at most {_LARGEST_TREE:,} modules and tensors"
            )
        for name, value in module.attributes.items():
            if isinstance(value, _Plan):
                found[f"{prefix}{name}"] = value
            elif isinstance(value, _Module):
                waiting.append((f"{prefix}{name}.", value))
    if not found:
        raise ValueError("no tensors in it")
    return found


class _Module:
    """What stands for every class of the archive's program: it holds attributes, no more."""

    attributes: dict[str, Any]

    def __new__(cls, *args: object) -> _Module:
        made = super().__new__(cls)
        made.attributes = {}
        return made

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, dict):
            raise pickle.UnpicklingError("a module whose state is no dict")
        self.attributes = state


class _Unpickler(pickle._Unpickler):
    """Reads a module tree. Whatever a pickle names beside it is refused before it is looked up.

    Each name yields an object made for it alone, so that a pickle which changes one changes nothing
    outside of what it becomes itself. The unpickler is the one in Python: that in C makes room for
    as many objects as a pickle merely says to have. Three opcodes for which this one does so, too,
    are unknown here.
    """

    dispatch = {  # noqa: RUF012 (as it is in the base class)
        opcode: load
        for opcode, load in pickle._Unpickler.dispatch.items()
        if opcode not in (*pickle.BYTEARRAY8, *pickle.NEXT_BUFFER, *pickle.READONLY_BUFFER)
    }

    def find_class(self, module: str, name: str) -> Any:
        if module == "__torch__" or module.startswith("__torch__."):
            return type("ModuleOfArchive", (_Module,), {})
        if module == "torch" and name in _DTYPES:
            return _Kind(_DTYPES[name])
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _planner()
        if (module, name) == ("collections", "OrderedDict"):
            return lambda: {}
        if module == "torch.jit._pickle" and name in _LISTS:
            return lambda items: list(items)
        raise pickle.UnpicklingError(f"it names {module}.{name}; only tensors are read")

    def persistent_load(self, saved: Any) -> _Storage:
        """A record: the pickle gives type, key, device and number of its elements."""
        word, kind, key, _, numel = saved
        named = type(key) is str and key.isalnum()
        if word != "storage" or not isinstance(kind, _Kind) or not named:
            raise pickle.UnpicklingError("a record that is no storage")
        return _Storage(key, kind.dtype, numel)


@dataclass(frozen=True)
class _Kind:
    """The type of a storage."""

    dtype: torch.dtype


def _planner() -> Callable[..., _Plan]:
    def plan(storage: Any, offset: Any, size: Any, stride: Any, *_: object) -> _Plan:
        if not isinstance(storage, _Storage):
            raise pickle.UnpicklingError("a tensor without a storage")
        return _Plan(storage, offset, tuple(size), tuple(stride))

    return plan
