"""Which images a manifest may name: a manifest may be anybody's file, the workers are ours."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow.compute as pc

from ufd_ray.errors import SettingsError
from ufd_ray.redaction import find_secret
from ufd_ray.storage.uris import is_http, parse_uri, scheme_of

_PLAIN_OBJECT = r"^(?:s3|gs)://[^/@?]+/[^?]*$"
_PLAIN_PATH = r"^/[^:]*$"
_PLAIN_PAGE = r"^https?://[^/@?#:]+/[^?&;#]*$"


def check_image_uris(column: Any, *, manifest: str, allow_http: bool, first_row: int = 1) -> None:
    """Hold the names that a manifest gives to the rules of `why_refused`.

    Args:
        column: `pa.Array` or `pa.ChunkedArray` of strings without nulls, relative names resolved.
        manifest: URI of the manifest.
        allow_http: whether http:// and https:// are read.
        first_row: the number of the column's first row, for the message.

    Raises:
        SettingsError: a name is refused; says which row and why, and does not repeat the name.
    """
    from_scheme = parse_uri(manifest).scheme
    # Nearly all names are plainly fine; only the others are looked at one by one.
    fine = pc.match_substring_regex(column, _PLAIN_OBJECT)
    if from_scheme == "file":
        fine = pc.or_(fine, pc.match_substring_regex(column, _PLAIN_PATH))
    if allow_http:
        fine = pc.or_(fine, pc.match_substring_regex(column, _PLAIN_PAGE))
    for row in np.flatnonzero(~np.asarray(fine)):
        uri = column[int(row)].as_py()
        if why := why_refused(uri, from_scheme=from_scheme, allow_http=allow_http):
            raise SettingsError(f"--input {manifest}: the image of row {first_row + row}: {why}")


def why_refused(uri: str, *, from_scheme: str, allow_http: bool) -> str | None:
    """Why a manifest may not name this image, in words that repeat no secret; None: it may.

    Args:
        uri: as the manifest names it, relative names resolved.
        from_scheme: of the manifest's own place.
        allow_http: whether http:// and https:// are read.
    """
    if secret := find_secret(uri):
        return f"{secret} in a URI ends up in records; give credentials to the environment"
    scheme = scheme_of(uri)
    if scheme == "file" and from_scheme != "file":
        return "a local file; only a manifest that is a local file itself may name those"
    if is_http(uri) and not allow_http:
        return f"{scheme}:// is read with --allow-http only"
    if scheme not in ("file", "s3", "gs", "http", "https"):
        return f"{scheme}:// is not read; expected s3://, gs:// or a local file"
    return None
