"""Which test set an image belongs to: what its manifest says, or the folder that it lies in."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from ufd_ray.evaluation.paper.sets import KNOWN_FOLDERS, key_of
from ufd_ray.storage.uris import is_http, parse_uri

_LABEL_FOLDERS = frozenset({"0_real", "1_fake"})


class SetNames:
    """The rule by which images are told apart.

    A manifest's `source` names the set. Where there is none, it is the first folder below the input
    that the image lies in, or below its tar. It is the name of that input itself, or of the folder
    of the tar, where the first folder below is one of the labels', or where that name is a set of
    the paper and the first folder is none (the paper's sets nest by class). The paper's sets have
    their keys for names, whatever their folders are called.

    Args:
        inputs: what `--input` names.

    Raises:
        SettingsError: one of them is no path or URI.
    """

    def __init__(self, inputs: Sequence[str]) -> None:
        # The innermost input decides, whichever was named first.
        self._inputs = sorted({_path(uri) for uri in inputs}, key=len, reverse=True)

    def name(self, uri: str, member: str | None, source: str | None) -> str | None:
        """The image's set; None where nothing says.

        Args:
            uri: the image's, or that of the tar that it is in.
            member: its name in the tar.
            source: what the manifest says; an empty word says nothing.
        """
        if source:
            return key_of(source)
        if is_http(uri):
            return None
        path = _path(uri)
        if member is not None and path.lower().endswith(".tar"):
            return _name_below(posixpath.dirname(path), member)
        for place in self._inputs:
            if path.startswith(place + "/"):
                return _name_below(place, path[len(place) + 1 :])
        return None


def name_of_input(uri: str) -> str:
    """The set that all images of an input are, where nothing but its own name says.

    Raises:
        SettingsError: it is no path or URI.
    """
    return key_of(_own_name(_path(uri)))


def _path(uri: str) -> str:
    location = parse_uri(uri)
    return f"{location.scheme}:{location.bucket}/{location.key.strip('/')}".rstrip("/")


def _name_below(place: str, below: str) -> str:
    own = _own_name(place)
    first, _, rest = posixpath.normpath(below.lstrip("/")).partition("/")
    if not rest or first in _LABEL_FOLDERS:
        return key_of(own)
    if own in KNOWN_FOLDERS and first not in KNOWN_FOLDERS:
        return key_of(own)
    return key_of(first)


def _own_name(place: str) -> str:
    """The last folder of a place, but for one of a label and those below it."""
    folders = place.partition(":")[2].split("/")
    for depth, name in enumerate(folders):
        if name in _LABEL_FOLDERS:
            folders = folders[:depth]
            break
    return folders[-1] if folders and folders[-1] else "images"
