"""Every error that the project raises on purpose, and what each one means to a caller.

UfdError
├── SettingsError    what was asked for cannot be done: exit status 2, nothing was started
├── IdentityError    two encoders that must be the same one are not
├── StorageError     an object store or a file system refused
├── AccountsError    rows in ≠ rows out: nothing is published
├── LeaseError       another process works, or has begun to work, on the same run
├── ClusterError     the cluster's machines do not give what the job needs
└── ImageError       one image; never ends a run, always becomes that image's row
    ├── FetchError   its bytes could not be had
    ├── DecodeError  its bytes are no image that we accept
    └── ModelError   the encoder gave no usable embedding
"""

from __future__ import annotations

from enum import StrEnum


class UfdError(Exception):
    """Base of all errors below. The message is one clear line, meant for a person."""


class SettingsError(UfdError):
    """Settings that cannot be used. One line a fault, each naming value, expectation and remedy."""


class IdentityError(UfdError):
    """Embeddings of two different encoders would have met."""


class StorageError(UfdError):
    """A place in storage cannot be listed, read or written."""


class AccountsError(UfdError):
    """The rows that came out are not exactly the images that went in."""


class LeaseError(UfdError):
    """Another process works on what this one was to work on, or has taken it over."""


class ClusterError(UfdError):
    """No machine gives what the job needs, or what one gives cannot be used."""


class ErrorCode(StrEnum):
    """Why one image has no score. Stable words: they are stored in the `error_code` column."""

    NOT_FOUND = "not_found"
    FORBIDDEN = "forbidden"
    THROTTLED = "throttled"
    TIMEOUT = "timeout"
    NETWORK = "network"
    CHANGED = "changed"
    TOO_MANY_BYTES = "too_many_bytes"
    EMPTY = "empty"
    UNSUPPORTED = "unsupported"
    CORRUPT = "corrupt"
    TRUNCATED = "truncated"
    TOO_MANY_PIXELS = "too_many_pixels"
    TOO_SMALL = "too_small"
    DECODE_TIMEOUT = "decode_timeout"
    CRASHED = "crashed"
    NOT_FINITE = "not_finite"

    @property
    def transient(self) -> bool:
        """Whether trying again later may help."""
        return self in _TRANSIENT


_TRANSIENT = frozenset({ErrorCode.THROTTLED, ErrorCode.TIMEOUT, ErrorCode.NETWORK})


class ImageError(UfdError):
    """One image failed. Carries what its row will say.

    Args:
        code: the stable word for the `error_code` column.
        message: one line for the `error_message` column.
    """

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class FetchError(ImageError):
    """The bytes could not be had."""


class DecodeError(ImageError):
    """The bytes are no image that we accept."""


class ModelError(ImageError):
    """The encoder gave no usable embedding."""


def one_line(message: str) -> str:
    """An image's error as a row tells it: messages quote names and bytes of strangers.

    Returns:
        At most 500 characters without line breaks, and nothing that is not UTF-8.
    """
    return " ".join(message.encode("utf-8", "backslashreplace").decode().split())[:500]
