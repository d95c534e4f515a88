from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ufd_ray.errors import SettingsError
from ufd_ray.storage import image_id, join_uri, parse_uri
from ufd_ray.storage.uris import Location, local_uri, object_uri

# Any bytes but NUL and the slash: what Linux takes for a name. `.` and `..` are no names.
NAMES = (
    st.binary(min_size=1, max_size=30)
    .map(lambda name: name.replace(b"\0", b"_").replace(b"/", b"_"))
    .filter(lambda name: name not in (b".", b".."))
)


@pytest.mark.parametrize(
    ("uri", "location"),
    [
        ("/data/a.jpg", Location("file", "", "/data/a.jpg")),
        ("/data/a%20b #1?.jpg", Location("file", "", "/data/a%20b #1?.jpg")),
        ("/data//x/../a.jpg", Location("file", "", "/data/a.jpg")),
        ("file:///data/a%20b.jpg", Location("file", "", "/data/a b.jpg")),
        ("file:///data/a%23%25.jpg", Location("file", "", "/data/a#%.jpg")),
        ("file://localhost/data/a.jpg", Location("file", "", "/data/a.jpg")),
        ("FILE:///data/a.jpg", Location("file", "", "/data/a.jpg")),
        ("file:///data/%ff.jpg", Location("file", "", "/data/\udcff.jpg")),
        ("s3://b/key.jpg", Location("s3", "b", "key.jpg")),
        ("S3://b/key.jpg", Location("s3", "b", "key.jpg")),
        ("s3://b", Location("s3", "b", "")),
        ("s3://b/", Location("s3", "b", "")),
        ("s3://b/a%20b #1?x=y.jpg", Location("s3", "b", "a%20b #1?x=y.jpg")),
        ("s3://b//a/./../b", Location("s3", "b", "/a/./../b")),
        ("s3://b/línea\nnueva", Location("s3", "b", "línea\nnueva")),
        ("s3://b/http://c/d", Location("s3", "b", "http://c/d")),
        ("gs://b/folder/key", Location("gs", "b", "folder/key")),
    ],
)
def test_parsing(uri: str, location: Location) -> None:
    assert parse_uri(uri) == location


def test_relative_paths_are_meant_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_uri("photos/a.jpg").key == str(tmp_path / "photos" / "a.jpg")
    assert parse_uri("a:b.jpg").key == str(tmp_path / "a:b.jpg")


@pytest.mark.parametrize(
    ("uri", "complaint"),
    [
        ("", "empty string"),
        ("http://example.org/a.jpg", "http:// is not read; expected a local path"),
        ("HTTPS://example.org/a.jpg", "https:// is not read"),
        ("hdfs://node/a", "hdfs:// is not read"),
        ("s3://", "names no bucket: expected s3://bucket/key"),
        ("gs:///key", "names no bucket: expected gs://bucket/key"),
        ("file://host/data/a.jpg", "file:///absolute/path"),
        ("file://data", "file:///absolute/path"),
    ],
)
def test_what_is_refused(uri: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint) as caught:
        parse_uri(uri)
    assert "\n" not in str(caught.value)


@given(NAMES)
def test_every_local_name_comes_back(name: bytes) -> None:
    path = b"/photos/" + name
    uri = local_uri(path)
    uri.encode("utf-8")  # a Parquet string can hold it
    assert os.fsencode(parse_uri(uri).key) == path
    assert uri.startswith("file://") == (not is_utf8(name))


def is_utf8(name: bytes) -> bool:
    return name.decode("utf-8", "ignore").encode() == name


@given(key=st.text(max_size=40), scheme=st.sampled_from(["s3", "gs"]))
def test_every_key_comes_back_as_it_stands(key: str, scheme: str) -> None:
    location = parse_uri(object_uri(scheme, "bucket", key))  # type: ignore[arg-type]
    assert location == Location(scheme, "bucket", key)  # type: ignore[arg-type]
    assert location.path == f"bucket/{key}"


def test_a_local_path_is_known_to_its_file_system_by_itself() -> None:
    assert parse_uri("file:///data/a%20b").path == "/data/a b"


@pytest.mark.parametrize(
    ("root", "names", "joined"),
    [
        ("/out", ["runs", "r1"], "/out/runs/r1"),
        ("/out/", ["runs"], "/out/runs"),
        ("/", ["runs"], "/runs"),
        ("out", ["bank.json"], "out/bank.json"),
        ("s3://b", ["runs"], "s3://b/runs"),
        ("s3://b/", ["runs", "r1"], "s3://b/runs/r1"),
        ("s3://b/x//", ["y"], "s3://b/x/y"),
        ("file:///out%20put", ["runs"], "file:///out%20put/runs"),
    ],
)
def test_joining(root: str, names: list[str], joined: str) -> None:
    assert join_uri(root, *names) == joined
    assert parse_uri(joined).key.endswith("/".join(names))


def test_the_id_is_the_contracts() -> None:
    digest = hashlib.sha256(b"s3://b/a.jpg\0").hexdigest()
    assert image_id("s3://b/a.jpg") == digest[:32]
    with_member = hashlib.sha256(b"s3://b/x.tar\x00000001.jpg").hexdigest()
    assert image_id("s3://b/x.tar", "000001.jpg") == with_member[:32]
    # Published rows out there carry these: a change here orphans them all.
    assert image_id("s3://b/a.jpg") == "9c914875a855edcd829aeff7e61f946d"
    assert image_id("s3://b/ü.jpg", "0") == "faf4f9bb11785473a3d61eacd9ff1ad0"


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_other_images_have_other_ids(a: str, b: str, c: str, d: str) -> None:
    # NUL can stand in no path, no key and no member, so that no two pairs run together.
    assume(not any("\0" in name for name in (a, b, c, d)) and (a, b) != (c, d))
    assert image_id(a, b) != image_id(c, d)


def test_an_id_is_there_for_names_that_are_not_utf8() -> None:
    assert len(image_id("/photos/\udcff.jpg")) == 32
