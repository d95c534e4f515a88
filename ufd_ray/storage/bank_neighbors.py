"""What a bank's `neighbors.json` says: thresholds and calibration of its neighbours' margin."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ufd_ray.errors import SettingsError
from ufd_ray.storage.banks import BankInfo
from ufd_ray.storage.documents import find_document, write_document
from ufd_ray.storage.judging import check_calibration, check_thresholds
from ufd_ray.storage.stores import StorageOptions

_NAME = "neighbors.json"
_OWN = ("format_version", "bank_content", "thresholds", "calibration")


@dataclass(frozen=True)
class NeighborsFile:
    """What the file holds.

    Attributes:
        thresholds: margins above which an image counts as fake, by name as a probe's.
        calibration: `method`, `scale` and `shift`, so that the probability is
            sigmoid(scale·margin + shift); None: there is none.
        details: how they were found (`judged`), on which images, when.
    """

    thresholds: dict[str, float | None] = field(default_factory=lambda: {"default": 0.0})
    calibration: dict[str, Any] | None = None
    details: dict[str, Any] = field(default_factory=dict)


def write_neighbors(
    bank: BankInfo, neighbors: NeighborsFile, options: StorageOptions, *, replace: bool = False
) -> None:
    """Write `neighbors.json` beside a bank's shards.

    Args:
        bank: the bank.
        neighbors: what is written.
        options: how storage is reached.
        replace: also over one that is there.

    Raises:
        FileExistsError: one is there, and `replace` was not said.
        StorageError: it cannot be written.
    """
    content = {
        "bank_content": bank.content,
        "thresholds": neighbors.thresholds,
        "calibration": neighbors.calibration,
        **neighbors.details,
    }
    write_document(bank.uri, _NAME, content, options, if_absent=not replace)


def read_neighbors(bank: BankInfo, options: StorageOptions) -> NeighborsFile | None:
    """Read `neighbors.json`; None where the bank has none.

    Raises:
        SettingsError: it is unusable, or was made for other shards than the bank has.
    """
    given = f"--bank {bank.uri}"
    content = find_document(bank.uri, _NAME, given, options)
    if content is None:
        return None
    if content.get("bank_content") != bank.content:
        raise SettingsError(
            f"{given}: {_NAME} was made for other shards than the bank has now; make it anew with"
            " jobs/calibrate.py --replace, or delete it"
        )
    try:
        return NeighborsFile(
            thresholds=check_thresholds(content.get("thresholds")),
            calibration=check_calibration(content.get("calibration")),
            details={name: value for name, value in content.items() if name not in _OWN},
        )
    except ValueError as error:
        raise SettingsError(f"{given}: {_NAME} is unusable ({error})") from error
