"""A feature bank on storage: `bank.json` and its shards."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ufd_ray.errors import SettingsError, StorageError
from ufd_ray.schema import FAKE, REAL
from ufd_ray.storage.documents import read_document
from ufd_ray.storage.leave_one_out import LeaveOneOut
from ufd_ray.storage.objects import read_object
from ufd_ray.storage.stores import StorageOptions
from ufd_ray.storage.uris import join_uri

_COUNTED = ("label", "split", "view")
_SEARCHABLE = ("image_id", "uri", "label", "source", "embedding")


@dataclass(frozen=True)
class BankInfo:
    """What `bank.json` says.

    Attributes:
        uri: the bank's folder.
        encoder: the encoder's identity, as a dict.
        dim: numbers in an embedding.
        dtype: `float32` or `float16`, of the stored embeddings.
        counts: images by label, source and split; rows by view, of which each image has several
            where the bank holds augmented ones.
        shards: files with rows and checksums.
        num_searchable: rows of view 0 and split `train`: what neighbours are searched in.
        leave_one_out: how far from each other these lie; None: nobody has looked.
        searchable: of the rows that are searched, those of each label, "0" and "1"; None: the bank
            was built before that was written down.
    """

    uri: str
    encoder: dict[str, Any]
    dim: int
    dtype: str
    counts: dict[str, dict[str, int]]
    shards: list[dict[str, Any]]
    num_searchable: int
    leave_one_out: LeaveOneOut | None = None
    searchable: dict[str, int] | None = None

    @classmethod
    def from_dict(cls, uri: str, content: dict[str, Any]) -> BankInfo:
        """What `bank.json` says.

        Args:
            uri: the bank's folder.
            content: the document.

        Raises:
            KeyError: something is missing.
            TypeError: something is of another kind.
            ValueError: likewise.
        """
        counts, found = content["counts"], content.get("leave_one_out")
        return cls(  # What will be needed is asked for by name: what is missing is said now.
            uri=uri,
            encoder=content["encoder"],
            dim=int(content["dim"]),
            dtype=str(content["dtype"]),
            counts=counts | {name: dict(counts[name]) for name in _COUNTED},
            shards=[dict(s, name=s["name"], sha256=s["sha256"]) for s in content["shards"]],
            num_searchable=int(content["num_searchable"]),
            leave_one_out=None if found is None else LeaveOneOut.from_dict(found),
            searchable=_counts(content.get("searchable")),
        )

    @property
    def fewest_searchable(self) -> int:
        """Rows of the rarer class that are searched; of a bank that does not say it, at most."""
        by_label = self.counts["label"] if self.searchable is None else self.searchable
        fewest = min(by_label.get(str(label), 0) for label in (REAL, FAKE))
        return min(fewest, self.num_searchable)

    @property
    def content(self) -> str:
        """A short hash of what its shards hold, wherever the bank lies."""
        checksums = json.dumps([shard["sha256"] for shard in self.shards])
        return hashlib.sha256(checksums.encode()).hexdigest()[:16]


def _counts(found: dict[str, Any] | None) -> dict[str, int] | None:
    return None if found is None else {label: int(num) for label, num in dict(found).items()}


def read_bank_info(uri: str, options: StorageOptions, given: str | None = None) -> BankInfo:
    """Read `bank.json`.

    Args:
        uri: the bank's folder.
        options: how storage is reached.
        given: how the user named it, for messages; None: with `--bank`.

    Raises:
        SettingsError: there is no usable bank at `uri`.
    """
    given = given or f"--bank {uri}"
    content = read_document(uri, "bank.json", given, options)
    try:
        return BankInfo.from_dict(uri, content)
    except KeyError as error:
        raise SettingsError(f"{given}: bank.json lacks {error}") from error
    except (TypeError, ValueError) as error:
        raise SettingsError(f"{given}: bank.json is damaged ({error})") from error


def read_shards(
    bank: BankInfo, options: StorageOptions, columns: Sequence[str] | None = None
) -> Iterator[Any]:
    """Read the shards, one `pa.Table` at a time, each held against its checksum.

    Args:
        bank: what `bank.json` says.
        options: how storage is reached.
        columns: only these; None: all.

    Raises:
        StorageError: a shard is gone or not the one that `bank.json` names.
    """
    for shard in bank.shards:
        try:
            data = read_object(join_uri(bank.uri, *shard["name"].split("/")), options)
        except FileNotFoundError as error:
            raise StorageError(f"bank {bank.uri}: shard {shard['name']} is missing") from error
        if hashlib.sha256(data).hexdigest() != shard["sha256"]:
            raise StorageError(
                f"bank {bank.uri}: shard {shard['name']} is damaged (its checksum differs from"
                " bank.json's)"
            )
        yield pq.read_table(io.BytesIO(data), columns=columns)


def read_searchable(
    bank: BankInfo, options: StorageOptions, columns: Sequence[str] = _SEARCHABLE
) -> Any:
    """The rows that neighbours are searched in: view 0 of split `train`.

    Args:
        bank: what `bank.json` says.
        options: how storage is reached.
        columns: of a bank's, those that are read.

    Returns:
        `pa.Table` in one chunk, with these columns.

    Raises:
        StorageError: a shard is gone or damaged.
    """
    kept = []
    for rows in read_shards(bank, options, [*columns, "split", "view"]):
        wanted = (np.asarray(rows["view"]) == 0) & (np.asarray(rows["split"]) == "train")
        kept.append(rows.select(columns).filter(pa.array(wanted)))
    return pa.concat_tables(kept).combine_chunks()
