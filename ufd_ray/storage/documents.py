"""Our own JSON documents: `run.json`, `bank.json`, `probe.json`, `current.json`."""

from __future__ import annotations

import json
from typing import Any

from ufd_ray.errors import SettingsError, StorageError
from ufd_ray.outcome import Outcome
from ufd_ray.schema import FORMAT_VERSION
from ufd_ray.storage.objects import read_object, write_object
from ufd_ray.storage.stores import StorageOptions
from ufd_ray.storage.uris import join_uri


def write_document(
    root: str,
    name: str,
    content: dict[str, Any],
    options: StorageOptions,
    *,
    if_absent: bool = False,
) -> None:
    """Write `ROOT/NAME`, with the format's version first.

    Args:
        root: the folder.
        name: of the document.
        content: what it says.
        options: how storage is reached.
        if_absent: leave one that is there alone, and say so.

    Raises:
        FileExistsError: `if_absent`, and one is there.
        StorageError: it cannot be written.
    """
    text = json.dumps({"format_version": FORMAT_VERSION, **content}, indent=2, ensure_ascii=False)
    data = (text + "\n").encode("utf-8", "backslashreplace")
    write_object(join_uri(root, name), data, options, if_absent=if_absent)


def read_document(root: str, name: str, given: str, options: StorageOptions) -> dict[str, Any]:
    """Read `ROOT/NAME`.

    Args:
        root: the folder.
        name: of the document.
        given: how the user named the folder, for the message: `--bank s3://…`.
        options: how storage is reached.

    Raises:
        SettingsError: it is not there, or is no such document of a version that we know.
    """
    content = find_document(root, name, given, options)
    if content is None:
        raise SettingsError(f"{given}: there is no {name}")
    return content


def find_document(
    root: str, name: str, given: str, options: StorageOptions
) -> dict[str, Any] | None:
    """Read `ROOT/NAME`, if it is there; None if it is not. Arguments as for `read_document`.

    Raises:
        SettingsError: it cannot be read, or is no such document of a version that we know.
    """
    try:
        content = json.loads(read_object(join_uri(root, name), options))
    except FileNotFoundError:
        return None
    except StorageError as error:
        raise SettingsError(f"{given}: {error}") from error
    except (ValueError, RecursionError) as error:  # nested without end, too
        raise SettingsError(f"{given}: {name} is no JSON ({error})") from error
    version = content.get("format_version") if isinstance(content, dict) else None
    if version != FORMAT_VERSION:
        raise SettingsError(
            f"{given}: {name} is of format version {version}; this release reads {FORMAT_VERSION}"
        )
    return dict(content)


def outcome_of_earlier(
    root: str, name: str, fingerprint: dict[str, Any], what: str, options: StorageOptions
) -> Outcome | None:
    """How the job ended whose result `--output ROOT` holds; None if it holds none.

    Args:
        root: the output.
        name: of the document that is written last.
        fingerprint: the settings that decide what comes out.
        what: what it would be, for the message: `a bank built`.
        options: how storage is reached.

    Raises:
        SettingsError: it holds the result of other settings.
    """
    earlier = find_document(root, name, f"--output {root}", options)
    if earlier is None:
        return None
    if differences := describe_differences(earlier.get("fingerprint", {}), fingerprint):
        raise SettingsError(
            f"--output {root} holds {what} with other settings: {differences}; choose another place"
        )
    return Outcome.of(earlier.get("outcome"))


def describe_differences(then: dict[str, Any], now: dict[str, Any]) -> str:
    """The settings that differ, each with both values; empty when none does.

    One that only one of the two knows, since another release wrote the other, does not differ as
    long as it says nothing.
    """
    shared = {name for name in then.keys() & now.keys() if then[name] != now[name]}
    alone = {
        name for name in then.keys() ^ now.keys() if (then | now)[name] not in (None, [], False)
    }
    names = sorted(shared | alone)
    return ", ".join(f"{name} was {then.get(name)!r}, is {now.get(name)!r}" for name in names)
