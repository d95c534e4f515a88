from __future__ import annotations

import pyarrow as pa
import pytest

from ufd_ray.errors import SettingsError
from ufd_ray.storage.listing.allowed import check_image_uris, why_refused

LOCAL = ["/photos/a.jpg", "/photos/a:b?c@d.jpg", "file:///photos/a%20b.jpg", "FILE:///a.jpg"]
STORED = ["s3://b/a.jpg", "gs://b/a.jpg", "S3://b/a?b@c.jpg", "s3://b/a\nb.jpg", "s3://b//"]
WEB = ["http://host/a.jpg", "HTTPS://host/a.jpg?width=640"]
UNKNOWN = ["ftp://host/a.jpg", "gopher://host/", "javascript://x", "s3a://b/k"]
SECRET = [
    "https://me:hunter2@host/a.jpg",
    "s3://me:hunter2@b/a.jpg",
    "https://host/a.jpg?X-Amz-Signature=hunter2",
    "s3://b/a.jpg?X-Amz-Security-Token=hunter2",
]


@pytest.mark.parametrize("from_scheme", ["file", "s3", "gs"])
@pytest.mark.parametrize("allow_http", [False, True])
def test_the_rules(from_scheme: str, allow_http: bool) -> None:
    def allowed(uri: str) -> bool:
        return why_refused(uri, from_scheme=from_scheme, allow_http=allow_http) is None

    assert all(map(allowed, STORED))
    assert all(map(allowed, LOCAL)) == (from_scheme == "file")
    assert any(map(allowed, LOCAL)) == (from_scheme == "file")
    assert all(map(allowed, WEB)) == allow_http
    assert any(map(allowed, WEB)) == allow_http
    assert not any(map(allowed, UNKNOWN + SECRET))


@pytest.mark.parametrize("manifest", ["/m.csv", "s3://b/m.csv"])
@pytest.mark.parametrize("allow_http", [False, True])
@pytest.mark.parametrize("uri", LOCAL + STORED + WEB + UNKNOWN + SECRET)
def test_a_column_is_held_to_the_same_rules(manifest: str, allow_http: bool, uri: str) -> None:
    scheme = "s3" if manifest.startswith("s3") else "file"
    column = pa.chunked_array([["s3://b/fine.jpg"], [], ["gs://b/fine.jpg", uri]])
    why = why_refused(uri, from_scheme=scheme, allow_http=allow_http)
    if why is None:
        check_image_uris(column, manifest=manifest, allow_http=allow_http)
        return
    with pytest.raises(SettingsError) as error:
        check_image_uris(column, manifest=manifest, allow_http=allow_http, first_row=1001)
    assert str(error.value) == f"--input {manifest}: the image of row 1003: {why}"
    assert "hunter2" not in str(error.value)
    assert "\n" not in str(error.value)


def test_a_column_without_rows_is_fine() -> None:
    check_image_uris(pa.array([], pa.string()), manifest="/m.txt", allow_http=False)
