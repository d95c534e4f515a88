"""How near a run came to what its encoders can do, and what they waited for."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Pace:
    """How one stage went, from its workers' reports of their batches.

    Attributes:
        num_images: in all batches.
        seconds: that workers were at it, together.
        core_seconds: that they made processors work elsewhere (decoding), together.
        first: images and seconds of the batch that was finished first.
        first_at: when that was, seconds of one clock; the next likewise.
        last_at: when the last batch was finished.
        fastest: images a second of each worker's fastest batch.
    """

    num_images: int = 0
    seconds: float = 0.0
    core_seconds: float = 0.0
    first: tuple[int, float] = (0, 0.0)
    first_at: float = 0.0
    last_at: float = 0.0
    fastest: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    def add(
        self, worker: str, num_images: int, seconds: float, core_seconds: float, at: float
    ) -> None:
        """Take the report of a batch that was finished by now."""
        if not self.num_images:
            self.first, self.first_at = (num_images, seconds), at
        self.num_images += num_images
        self.seconds += seconds
        self.core_seconds += core_seconds
        self.last_at = at
        self.fastest[worker] = max(self.fastest[worker], num_images / max(seconds, 1e-9))

    @property
    def window_s(self) -> float:
        """From the first finished batch to the last."""
        return self.last_at - self.first_at

    @property
    def busy_s(self) -> float:
        """What a worker was at it in that time, on average."""
        return (self.seconds - self.first[1]) / max(1, len(self.fastest))


def efficiency(
    paces: dict[str, Pace], now: float, whole_run_s: float, shared_cores: float | None
) -> dict[str, Any] | None:
    """Compare a run with its encoders alone.

    An encoder alone is as fast as each worker's fastest batch was. Where decoders work on the same
    cores, no run can be that fast, for what they work is missing then: `attainable` counts it.

    Args:
        paces: by stage: `fetch`, `decode`, `encode`, `detect`.
        now: on the clock of the paces, when the run ended.
        whole_run_s: how long it took.
        shared_cores: on which encoders and decoders both compute; None: they share none.

    Returns:
        `steady`, the share of what was attainable, from the first encoded batch to the last (None
        if there was but one), and `whole_run`; `images_per_s` behind them; `seconds`, into which
        the whole run falls: `start_up` to the first batch, `encode` as alone, what encoders were
        `slowed` by others on their cores, waited for `fetch`, `decode` or `search`, and
        `closing`: from the last batch to the end. None where nothing was encoded.
    """
    encode, decode = paces.get("encode"), paces.get("decode")
    if encode is None or not encode.num_images:
        return None
    alone = sum(encode.fastest.values())
    decoding = decode.core_seconds / decode.num_images if decode and decode.num_images else 0.0
    attainable = 1 / (1 / alone + decoding / shared_cores) if shared_cores else alone
    whole = encode.num_images / max(whole_run_s, 1e-9)
    rates = {"encoder_alone": alone, "attainable": attainable, "whole_run": whole}
    shares = {"whole_run": whole / attainable}
    afterwards = encode.num_images - encode.first[0]
    closing = max(0.0, now - encode.last_at)
    seconds = {"start_up": max(0.0, whole_run_s - encode.window_s - closing), "closing": closing}
    if afterwards and encode.window_s > 0:
        rates["steady"] = afterwards / encode.window_s
        shares["steady"] = rates["steady"] / attainable
        seconds |= _steady(paces, encode, afterwards / alone)
    return {
        "steady": round(shares["steady"], 3) if "steady" in shares else None,
        "whole_run": round(shares["whole_run"], 3),
        "images_per_s": {name: round(rate, 3) for name, rate in rates.items()},
        "decode_core_ms": round(1000 * decoding, 3),
        "seconds": {name: round(took, 3) for name, took in seconds.items()},
    }


def _steady(paces: dict[str, Pace], encode: Pace, as_alone: float) -> dict[str, float]:
    """What the time from the first batch to the last went into.

    An encoder that waits does so for the rows before it, which were fetched and decoded one after
    the other, or for a search behind it that has more to do than it has itself.
    """
    busy = min(encode.busy_s, encode.window_s)
    seconds = {"encode": min(as_alone, busy), "slowed": max(0.0, busy - as_alone)}
    waited = encode.window_s - busy
    detect = paces.get("detect")
    if detect is not None and detect.busy_s > encode.busy_s:
        return seconds | {"search": waited}
    reading = {stage: paces[stage].seconds for stage in ("fetch", "decode") if stage in paces}
    total = sum(reading.values())
    return seconds | {stage: waited * took / total for stage, took in reading.items() if total}
