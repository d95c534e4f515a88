"""One image's bytes: what is known of them before, what became of them, within which bounds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ufd_ray.errors import ErrorCode, FetchError
from ufd_ray.settings import InputSettings


@dataclass(frozen=True)
class Known:
    """One image to fetch, with what its listing said of it (None: not known, not checked).

    Attributes:
        uri: the object, or the container that holds the image.
        etag: version tag of the object, without quotes.
        size_bytes: of the image.
        last_modified: of the object, in UTC.
        member: its name in the container; None for an object of its own.
        offset: where a tar member's bytes begin.
    """

    uri: str
    etag: str | None = None
    size_bytes: int | None = None
    last_modified: datetime | None = None
    member: str | None = None
    offset: int | None = None


@dataclass(frozen=True)
class Fetched:
    """What came of it: `data`, or `error`; and what is now known of the object."""

    known: Known
    data: bytes | None = None
    error: FetchError | None = None


@dataclass(frozen=True)
class FetchLimits:
    """Bounds of fetching, and what is read at all.

    Attributes:
        max_bytes: larger objects are not read (`too_many_bytes`).
        num_concurrent: requests under way at once in one process.
        num_attempts: tries for one object before its transient error stands.
        first_wait_s: wait before the second try; each further one is five times as long.
        allow_http: whether http:// and https:// are read.
        image_column: the column of image bytes in Parquet; None: the only one.
    """

    max_bytes: int = 64 * 2**20
    num_concurrent: int = 32
    num_attempts: int = 4
    first_wait_s: float = 1.0
    allow_http: bool = False
    image_column: str | None = None

    @classmethod
    def of(cls, settings: InputSettings) -> FetchLimits:
        """The bounds that a job's settings ask for."""
        return cls(
            max_bytes=settings.max_bytes,
            num_attempts=settings.fetch_attempts,
            allow_http=settings.allow_http,
            image_column=settings.image_column,
        )


def check_size(size_bytes: int, limits: FetchLimits) -> None:
    """Hold an object's size against `--max-bytes`.

    Raises:
        FetchError: `too_many_bytes`.
    """
    if size_bytes > limits.max_bytes:
        raise FetchError(
            ErrorCode.TOO_MANY_BYTES,
            f"{size_bytes} bytes, more than the allowed {limits.max_bytes} (--max-bytes)",
        )


def check_whole(data: bytes | bytearray, size_bytes: int) -> None:
    """Hold a body against the length that was announced for it.

    Raises:
        FetchError: `network`.
    """
    if len(data) != size_bytes:
        raise FetchError(
            ErrorCode.NETWORK, f"the body broke off: {len(data)} of {size_bytes} bytes came"
        )


def check_unchanged(known: Known, now: Known) -> None:
    """Hold an object against its known etag; where either has none, against its size and time.

    Raises:
        FetchError: `changed`.
    """
    if known.etag and now.etag:
        same = known.etag == now.etag
    else:
        same_size = known.size_bytes in (None, now.size_bytes)
        same = same_size and _same_moment(known.last_modified, now.last_modified)
    if not same:
        raise FetchError(
            ErrorCode.CHANGED,
            f"listed with etag {known.etag}, {known.size_bytes} bytes of {known.last_modified};"
            f" read with etag {now.etag}, {now.size_bytes} bytes of {now.last_modified}",
        )


def _same_moment(then: datetime | None, now: datetime | None) -> bool:
    if then is None or now is None:
        return True
    if not (then.microsecond and now.microsecond):  # one of the two was cut to seconds
        then, now = then.replace(microsecond=0), now.replace(microsecond=0)
    return then == now
