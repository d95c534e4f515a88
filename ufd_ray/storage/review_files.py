"""A sample that a person labels: a CSV file to fill in, and its record beside it.

The record (`FILE.csv.json`) keeps what was written, stratum by stratum and row by row. A filled-in
file is held against it: nothing but the column `label` may differ.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ufd_ray.errors import SettingsError, StorageError
from ufd_ray.storage.documents import find_document, write_document
from ufd_ray.storage.objects import object_exists, read_object, write_object
from ufd_ray.storage.stores import StorageOptions

COLUMNS = ("image_id", "uri", "member", "score", "verdict", "stratum", "label")
"""Of the CSV file. Further ones may be added, for notes."""

_HELD = ("uri", "member", "verdict", "stratum")
_WORDS = {
    **dict.fromkeys(("real", "0", "0.0"), "real"),
    **dict.fromkeys(("fake", "1", "1.0"), "fake"),
    "unsure": "unsure",
    "": None,
}
_DELIMITERS = (",", ";", "\t")
_LONGEST_QUOTE = 80


@dataclass(frozen=True)
class FilledIn:
    """A sample as it came back.

    Attributes:
        record: what `write_sample` recorded.
        labels: stratum → `real`, `fake`, `unsure` or None (no label), once an image that was drawn.
        sha256: of the file.
    """

    record: dict[str, Any]
    labels: dict[int, list[str | None]]
    sha256: str


def write_sample(
    file: str,
    record: Mapping[str, Any],
    images: Sequence[Mapping[str, Any]],
    options: StorageOptions,
) -> None:
    """Write the CSV file and, before it, its record.

    Args:
        file: path or URI of the CSV file.
        record: what the record says, `strata` among it.
        images: of each all `COLUMNS` but `label`; texts are safe in a spreadsheet.
        options: how storage is reached.

    Raises:
        SettingsError: there is a file already, which may have labels.
        StorageError: one cannot be written.
    """
    check_no_sample(file, options)
    text = io.StringIO(newline="")
    rows = csv.DictWriter(text, COLUMNS, restval="", quoting=csv.QUOTE_ALL, lineterminator="\n")
    rows.writeheader()
    rows.writerows(images)
    names = [{name: image[name] for name in ("image_id", *_HELD)} for image in images]
    content = dict(record) | {"images": names}
    root, name = _record_of(file)
    write_document(root, name, content | {"sha256": _digest(content)}, options)
    try:
        data = text.getvalue().encode("utf-8", "backslashreplace")
        write_object(file, data, options, if_absent=True)
    except FileExistsError as error:
        raise _there_already(file) from error


def check_no_sample(file: str, options: StorageOptions) -> None:
    """See that no labels would be lost.

    Raises:
        SettingsError: there is such a file.
        StorageError: the storage does not say.
    """
    if object_exists(file, options):
        raise _there_already(file)


def read_labels(file: str, options: StorageOptions) -> FilledIn:
    """Read a filled-in file, and hold it against its record.

    Args:
        file: path or URI of the CSV file; its record lies beside it.
        options: how storage is reached.

    Raises:
        SettingsError: there is no such file or record, or the file has been changed elsewhere than
            in the column `label`; the line and what is wrong there are named.
    """
    given = f"--labels {file}"
    try:
        data = read_object(file, options)
    except (FileNotFoundError, StorageError) as error:
        raise SettingsError(f"{given}: {error}") from error
    record = _read_record(file, given, options)
    images = {image["image_id"]: image for image in record["images"]}
    labels: dict[str, str | None] = dict.fromkeys(images)
    seen = set[str]()
    for line, row in _rows(data, given):
        found = row["image_id"].strip()
        if (image := images.get(found)) is None:
            raise _fault(given, line, f"image_id {_quoted(found)} is not of this sample")
        if found in seen:
            raise _fault(given, line, f"image_id {found} stands there a second time")
        seen.add(found)
        for name in _HELD:
            if _plain(row[name]) != _plain(image[name]):
                said = f"{name} is {_quoted(row[name])} and was {_quoted(str(image[name]))}"
                raise _fault(given, line, f"{said}; nothing but the column label may be changed")
        word = row["label"].strip().lower()
        if word not in _WORDS:
            expected = "expected real or fake (or 0 or 1), unsure, or nothing"
            raise _fault(given, line, f"label {_quoted(word)}; {expected}")
        labels[found] = _WORDS[word]
    by_stratum: dict[int, list[str | None]] = {one["stratum"]: [] for one in record["strata"]}
    for found, label in labels.items():
        by_stratum[images[found]["stratum"]].append(label)
    return FilledIn(record, by_stratum, hashlib.sha256(data).hexdigest())


def _rows(data: bytes, given: str) -> list[tuple[int, dict[str, str]]]:
    """Each row with the number of its last line, however a spreadsheet has saved it."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SettingsError(f"{given}: no UTF-8 text; save it as CSV in UTF-8") from error
    head = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows = []
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        if wrong := [name for name in COLUMNS if names.count(name) != 1]:
            raise SettingsError(
                f"{given}: column {wrong[0]} is there {names.count(wrong[0])} times; expected"
                f" {', '.join(COLUMNS)}, as they were written"
            )
        for cells in reader:
            if any(cell.strip() for cell in cells):
                # A spreadsheet leaves out empty cells at the end of a line.
                padded = [*cells, *[""] * (len(names) - len(cells))]
                if len(padded) > len(names):
                    raise _fault(given, reader.line_num, "more cells than columns")
                rows.append((reader.line_num, dict(zip(names, padded, strict=True))))
    except csv.Error as error:
        raise _fault(given, reader.line_num, f"no CSV ({error})") from error
    return rows


def _read_record(file: str, given: str, options: StorageOptions) -> dict[str, Any]:
    root, name = _record_of(file)
    record = find_document(root, name, given, options)
    if record is None:
        raise SettingsError(
            f"{given}: beside it there is no {name}, which jobs/report.py wrote with the sample;"
            " keep both together, under the same name"
        )
    said = record.pop("sha256", None)
    version = record.pop("format_version")
    if said != _digest(record):
        raise SettingsError(f"{given}: {name} is not as jobs/report.py wrote it; draw a new sample")
    return {"format_version": version, **record, "sha256": said}


def _record_of(file: str) -> tuple[str, str]:
    """Folder and name of the record of a CSV file."""
    folder, slash, name = file.rpartition("/")
    return (folder or slash or ".", f"{name}.json")


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(cell: object) -> str:
    """A cell as it is compared: spreadsheets write line ends of their own."""
    return str(cell).replace("\r\n", "\n").replace("\r", "\n").strip()


def _there_already(file: str) -> SettingsError:
    return SettingsError(
        f"--output {file}: there is such a file, perhaps with labels in it; choose another name"
    )


def _fault(given: str, line: int, what: str) -> SettingsError:
    return SettingsError(f"{given}: line {line}: {what}")


def _quoted(text: str) -> str:
    shown = text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + "…"
    return repr(shown)
