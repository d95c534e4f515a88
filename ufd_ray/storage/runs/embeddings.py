"""Kept embeddings of published runs, found again by the bytes that they were made from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from ufd_ray.errors import SettingsError, StorageError
from ufd_ray.storage.foreign_errors import explain
from ufd_ray.storage.stores import StorageOptions, open_filesystem
from ufd_ray.storage.uris import join_uri, parse_uri
from ufd_ray.storage.vectors import embedding_matrix

ROWS_PER_GROUP = 256
"""Rows in a row group of `embeddings/`: what is read at least, to find one."""

_GROUPS_IN_MEMORY = 64
_Hashes = npt.NDArray[np.void]


@dataclass(frozen=True)
class EmbeddingIndex:
    """Where each kept embedding lies. 24 bytes an embedding, sorted by content hash.

    Attributes:
        files: URIs of Parquet files.
        hashes: (n,) the first 16 bytes of each SHA-256, ascending.
        file: (n,) int32, index into `files`.
        row: (n,) int32, row in that file.
    """

    files: tuple[str, ...]
    hashes: _Hashes
    file: npt.NDArray[np.int32]
    row: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.hashes)

    def find(self, content_hashes: Sequence[str | None]) -> npt.NDArray[np.int64]:
        """Entries of these contents, (m,); -1 for those that are not kept."""
        wanted = _as_keys(content_hashes)
        at = np.searchsorted(self.hashes, wanted)
        found = np.full(len(wanted), -1, np.int64)
        inside = at < len(self.hashes)
        inside[inside] = self.hashes[at[inside]] == wanted[inside]
        inside &= np.array([value is not None for value in content_hashes], dtype=bool)
        found[inside] = at[inside]
        return found


def index_embeddings(files: Sequence[str], options: StorageOptions) -> EmbeddingIndex:
    """Read the content hashes of `files`, and nothing else of them.

    Args:
        files: URIs of Parquet files with `content_hash`, `embedding`; of the same content, the
            first one counts.
        options: how storage is reached.

    Raises:
        StorageError: a file cannot be read.
    """
    hashes, places = [_as_keys([])], [np.empty((0, 2), np.int32)]
    for number, uri in enumerate(files):
        with _clear_errors(uri):
            column = _open(uri, options).read(columns=["content_hash"])["content_hash"]
            keys = _as_keys(column.to_pylist())
        hashes.append(keys)
        rows = np.arange(len(keys), dtype=np.int32)
        places.append(np.stack([np.full(len(keys), number, np.int32), rows], axis=1))
    keys, first = np.unique(np.concatenate(hashes), return_index=True)
    where = np.concatenate(places)[first]
    return EmbeddingIndex(tuple(files), keys, where[:, 0].copy(), where[:, 1].copy())


@dataclass
class KeptEmbeddings:
    """Reads embeddings by content hash; keeps the row groups that it read last.

    Attributes:
        index: where they lie.
        options: how storage is reached.
    """

    index: EmbeddingIndex
    options: StorageOptions
    _group: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        open_file = lru_cache(maxsize=16)(lambda uri: _open(uri, self.options))

        @lru_cache(maxsize=_GROUPS_IN_MEMORY)
        def group(uri: str, number: int) -> tuple[_Hashes, npt.NDArray[Any]]:
            with _clear_errors(uri):
                columns = ["content_hash", "embedding"]
                table = open_file(uri).read_row_group(number, columns=columns)
                keys = _as_keys(table["content_hash"].to_pylist())
                return keys, embedding_matrix(table["embedding"])

        self._group = group

    def read(
        self, content_hashes: Sequence[str | None]
    ) -> tuple[npt.NDArray[Any] | None, npt.NDArray[np.bool_]]:
        """The embeddings that are kept of these contents.

        Returns:
            (m, dim), None where there is none at all; and a mask (n,): which of the n these m are.

        Raises:
            StorageError: a file cannot be read, or is no longer the one that was indexed.
        """
        entries = self.index.find(content_hashes)
        kept = entries >= 0
        rows = []
        for entry in entries[kept]:
            uri, row = self.index.files[self.index.file[entry]], int(self.index.row[entry])
            number, rest = divmod(row, ROWS_PER_GROUP)
            keys, embeddings = self._group(uri, number)
            if rest >= len(keys) or keys[rest] != self.index.hashes[entry]:
                with _clear_errors(uri):
                    raise ValueError(f"row {row} is not the content that it was")
            rows.append(embeddings[rest])
        return (np.stack(rows) if rows else None), kept


@contextmanager
def _clear_errors(uri: str) -> Iterator[None]:
    try:
        yield
    except (OSError, LookupError, ValueError, pa.ArrowException) as error:
        raise StorageError(
            f"kept embeddings {uri} cannot be read ({explain(error)}); --no-reuse-embeddings does"
            " without them"
        ) from error


def _open(uri: str, options: StorageOptions) -> Any:
    location = parse_uri(uri)
    return pq.ParquetFile(open_filesystem(location, options).open_input_file(location.path))


def _as_keys(content_hashes: Sequence[str | None]) -> _Hashes:
    # 128 of the 256 bits: enough that no two contents meet, whoever made them.
    data = b"".join(bytes.fromhex((h or "0" * 32)[:32]) for h in content_hashes)
    return np.frombuffer(data, "V16")


def embedding_files(run_uri: str, document: dict[str, Any]) -> list[str]:
    """URIs of a published run's kept embeddings, as its `run.json` names them.

    Raises:
        SettingsError: it does not say which files there are.
    """
    try:
        names = [str(file["name"]) for file in document.get("files", [])]
    except (LookupError, TypeError) as error:
        raise SettingsError(f"{run_uri}: run.json does not say which files it has") from error
    return [join_uri(run_uri, *n.split("/")) for n in names if n.startswith("embeddings/")]
