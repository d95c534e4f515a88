"""What held a run back, in one sentence."""

from __future__ import annotations

from typing import Any

WENT_INTO = {
    "start_up": "to the first batch",
    "encode": "encoding, as fast as alone",
    "slowed": "encoding, slowed by others on its cores",
    "fetch": "encoders waited for fetching",
    "decode": "encoders waited for decoding",
    "search": "encoders waited for the search",
    "closing": "after the last batch",
}
"""Of `seconds` in a run's `efficiency`."""

_MOSTLY = {
    "start_up": "in getting ready: listing, workers, the model. A longer run would not notice it",
    "encode": "in the encoder itself: only faster or more processors for it would help",
    "slowed": "in encoding beside decoders on the same cores: more CPU cores would help",
    "fetch": "in waiting for files: a nearer bucket or more readers would help",
    "decode": "in waiting for decoding: more CPU cores would help",
    "search": "in waiting for the search in the bank: another device for it would help",
    "closing": "behind the last batch: the last scores, writing, verifying and this page",
}


def what_held_back(found: dict[str, Any] | None) -> str | None:
    """The sentence.

    Args:
        found: `efficiency` of `run.json`.

    Returns:
        Plain text; None where it is not known.
    """
    seconds = {k: v for k, v in (found or {}).get("seconds", {}).items() if k in _MOSTLY}
    total = sum(seconds.values())
    if total <= 0:
        return None
    most = max(seconds, key=lambda name: float(seconds[name]))
    return (
        f"The largest part, {seconds[most]:,.1f} of {total:,.1f} seconds"
        f" ({100 * seconds[most] / total:.0f} %), went by {_MOSTLY[most]}."
    )
