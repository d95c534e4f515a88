"""A probe, a bank or a published run in storage → what scores by it have to go by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from ufd_ray.errors import SettingsError
from ufd_ray.images import DecodeLimits
from ufd_ray.pairing import Detectors
from ufd_ray.settings import DecidingSettings, Precision
from ufd_ray.storage import (
    FetchLimits,
    StorageOptions,
    describe_differences,
    find_document,
    join_uri,
    object_exists,
)

_PLACES = ("bank", "probe")
_LINES = ("threshold", "unsure_above")
_CONTENTS = (
    *("encoder_id", "bank_content", "probe_content", "probe_calibration", "out_of_bank_distance"),
)


@dataclass(frozen=True)
class SavedDetector:
    """What was found.

    Attributes:
        uri: where.
        settings: which bank and probe, who decides, and where the line is.
        precision: in which the encoder computes.
        contents: of a run: what bank and probe held, as its fingerprint has it.
        decode_limits: bounds of decoding.
        fetch_limits: bounds of fetching.
    """

    uri: str
    settings: DecidingSettings
    precision: Precision = "fp32"
    contents: dict[str, Any] = field(default_factory=dict)
    decode_limits: DecodeLimits = field(default_factory=DecodeLimits)
    fetch_limits: FetchLimits = field(default_factory=FetchLimits)

    def check(self, detectors: Detectors) -> None:
        """Hold bank and probe against what they were.

        Raises:
            SettingsError: they are others by now.
        """
        now = detectors.contents()
        found = {name: now[name] for name in self.contents}
        if differences := describe_differences(self.contents, found):
            raise SettingsError(
                f"{self.uri}: the run's bank or probe was changed since: {differences}"
            )


def find_saved(uri: str, given: Mapping[str, Any], storage: StorageOptions) -> SavedDetector:
    """Look what lies at `uri`.

    Args:
        uri: folder or URI of a probe, a bank, or a published run.
        given: settings that go before those found there.
        storage: how it is reached.

    Raises:
        SettingsError: none of the three is there, or the settings cannot be used.
    """
    for name in ("probe", "bank"):
        if find_document(uri, f"{name}.json", uri, storage) is not None:
            if name in given:
                raise SettingsError(f"{uri} is a {name} itself; give no second one beside it")
            return SavedDetector(uri, _settings({name: uri, **given}))
    run = find_document(uri, "run.json", uri, storage)
    if run is None or not object_exists(join_uri(uri, "_SUCCESS"), storage):
        what = "neither probe.json, bank.json nor run.json" if run is None else "an unfinished run"
        raise SettingsError(f"{uri}: {what} is there; expected a probe, a bank or a published run")
    try:
        return _of_run(uri, run, given)
    except (KeyError, TypeError) as error:
        raise SettingsError(f"{uri}: run.json does not say what scored it ({error})") from error


def _of_run(uri: str, run: dict[str, Any], given: Mapping[str, Any]) -> SavedDetector:
    then, settings, fingerprint = run["detectors"], run["settings"], run["fingerprint"]
    # Threshold and unsure_above of a run belong together, and to the scale of who decided in it.
    lines = () if given.keys() & {"decide_by", "threshold"} else _LINES
    own = {name: then[name] for name in (*_PLACES, "k", *lines) if then.get(name) is not None}
    own["decide_by"] = then["decided_by"]
    return SavedDetector(
        uri,
        _settings({**own, **given}),
        _precision(then["precision"], uri),
        {name: fingerprint[name] for name in _CONTENTS if name in fingerprint},
        DecodeLimits(max_pixels=settings["max_pixels"]),
        FetchLimits(max_bytes=settings["max_bytes"]),
    )


def _precision(known: Precision | None, uri: str) -> Precision:
    if known is None:
        print(
            f"{uri} scored stored embeddings, and nobody said in which precision they were made:"
            " images will be encoded in fp32 (precision=...)"
        )
    return known or "fp32"


def _settings(values: dict[str, Any]) -> DecidingSettings:
    try:
        return DecidingSettings.model_validate(values)
    except ValidationError as error:
        lines = [
            ": ".join([*map(str, fault["loc"][:1]), fault["msg"].removeprefix("Value error, ")])
            for fault in error.errors()
        ]
        raise SettingsError("\n".join(lines)) from error
