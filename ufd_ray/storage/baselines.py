"""A trained baseline on storage: `baseline.safetensors` (its network) and `baseline.json`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ufd_ray.errors import SettingsError, StorageError
from ufd_ray.storage.documents import read_document
from ufd_ray.storage.judging import check_thresholds
from ufd_ray.storage.node_cache import describe_file, file_on_node
from ufd_ray.storage.objects import write_from
from ufd_ray.storage.stores import StorageOptions
from ufd_ray.storage.uris import join_uri

BASELINE = "baseline.json"
NETWORK = "baseline.safetensors"


@dataclass(frozen=True)
class BaselineInfo:
    """What `baseline.json` says.

    Attributes:
        uri: the folder.
        name: of the baseline.
        arch: its network's name.
        options: what else was chosen, by name.
        starts_from: whose weights its training started from, `ARCH:WEIGHTS`; None: from scratch.
        is_published: whether network and recipe are those of the paper's tables.
        thresholds: `default` and `tuned` (None: none was found), scores above which an image counts
            as fake, 0–1.
        sha256: of the network's file, 64 hex digits.
        sources: of its training images, as far as their manifest named them.
        inputs: folders, URIs and manifests that these were listed from.
    """

    uri: str
    name: str
    arch: str
    options: dict[str, str]
    starts_from: str | None
    is_published: bool
    thresholds: dict[str, float | None]
    sha256: str
    sources: tuple[str, ...]
    inputs: tuple[str, ...]

    def describe(self) -> dict[str, Any]:
        """For the record of what it was used for."""
        return {
            "uri": self.uri,
            "name": self.name,
            "arch": self.arch,
            "options": self.options,
            "starts_from": self.starts_from,
            "is_published": self.is_published,
            "sha256": self.sha256,
            "sources": list(self.sources),
        }


def read_baseline_info(uri: str, given: str, options: StorageOptions) -> BaselineInfo:
    """Read `baseline.json`.

    Args:
        uri: the folder.
        given: how the user named it, for the message: `--compare-baseline a=s3://…`.
        options: how storage is reached.

    Raises:
        SettingsError: there is no usable baseline.
    """
    content = read_document(uri, BASELINE, given, options)
    try:
        start = content["starts_from"]
        words = {str(name): str(word) for name, word in content["options"].items()}
        return BaselineInfo(
            uri=uri,
            name=str(content["name"]),
            arch=str(content["arch"]),
            options=words,
            starts_from=None if start is None else str(start),
            is_published=bool(content["is_published"]),
            thresholds=check_thresholds(content["thresholds"], 0, 1),
            sha256=str(content["network"]["sha256"]),
            sources=tuple(map(str, content["counts"]["train"]["source"])),
            inputs=tuple(map(str, content["settings"]["input"])),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise SettingsError(f"{given}: unusable ({type(error).__name__}: {error})") from error


def write_network(uri: str, file: Path, options: StorageOptions) -> dict[str, Any]:
    """Put a network's file into a baseline's folder, which is none before its JSON is there.

    Args:
        uri: the folder.
        file: safetensors on this machine.
        options: how storage is reached.

    Returns:
        What `baseline.json` says of it: `name`, `sha256`, `num_bytes`.

    Raises:
        StorageError: it cannot be written.
    """
    seen = describe_file(file)
    write_from(join_uri(uri, NETWORK), file, options)
    return {"name": NETWORK, "sha256": seen.sha256, "num_bytes": seen.size_bytes}


@contextmanager
def network_file(info: BaselineInfo, options: StorageOptions) -> Iterator[Path]:
    """A local file with the network: the file itself, or this machine's copy.

    Raises:
        StorageError: it is gone, cannot be read, or is not the one that `baseline.json` names.
    """
    uri = join_uri(info.uri, NETWORK)
    try:
        with file_on_node(uri, options) as found:
            if found.sha256 != info.sha256:
                raise StorageError(
                    f"{uri} is damaged: its SHA-256 begins {found.sha256[:12]}, and {BASELINE} says"
                    f" {info.sha256[:12]}"
                )
            yield found.path
    except FileNotFoundError as error:
        raise StorageError(f"{uri}: there is no such file") from error
