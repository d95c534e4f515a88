"""Files of YAML → documents, read as strictly as a cluster would have to.

A key that stands twice is refused (YAML would take the last one in silence), and so is anything but
plain maps, lists and scalars.
"""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

Document = dict[str, Any]
Files = dict[str, list[Any]]
"""The documents of each file, by its path below the folder that was read, with `/`."""


class UnreadableError(Exception):
    """A file is no YAML that means one thing only."""


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                line = key.start_mark.line + 1
                raise UnreadableError(f"line {line}: {key.value!r} stands twice in one map")
            seen.add(key.value)
        return super().construct_mapping(node, deep=True)


def parse_documents(text: str) -> list[Any]:
    """The documents of one file; those of comments alone do not count.

    Raises:
        UnreadableError: no YAML, or a key twice in one map.
    """
    try:
        documents = list(yaml.load_all(text, _Loader))
    except yaml.YAMLError as error:
        raise UnreadableError(" ".join(str(error).split())) from error
    # Copied, what an anchor shares becomes each place's own, as in the JSON that is sent.
    return [copy_of(document) for document in documents if document is not None]


def copy_of(node: Any) -> Any:
    """A copy of maps, lists and scalars that shares nothing, not even with itself."""
    if isinstance(node, dict):
        return {key: copy_of(one) for key, one in node.items()}
    return [copy_of(one) for one in node] if isinstance(node, list) else node


def read_files(folder: Path) -> Files:
    """All YAML files below `folder`.

    Raises:
        UnreadableError: a file is no YAML, or not the plain one; the message names it.
    """
    files: Files = {}
    for path in sorted(folder.rglob("*.yaml")):
        name = path.relative_to(folder).as_posix()
        try:
            files[name] = parse_documents(path.read_text(encoding="utf-8"))
        except UnreadableError as error:
            raise UnreadableError(f"{name}: {error}") from error
    return files
