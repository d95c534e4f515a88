"""The server that the other tests rely on behaves like S3 where they need it to."""

from __future__ import annotations

from typing import Any

import boto3
import botocore.exceptions
import obstore
import pytest
from obstore.exceptions import AlreadyExistsError, PreconditionError
from obstore.store import S3Store

from tests.servers.keys import AccessKey
from tests.servers.s3 import S3Server

KEYS = {
    "space": "a b.png",
    "unicode": "bild-ü-日本.png",
    "hash": "a#1.png",
    "colons": "a::b.png",
    "percent": "100%20.png",
    "plus": "a+b.png",
    "question": "a?b=c&d.png",
    "xml": "a<b>&amp;.png",
    "empty segment": "a//b.png",
    "leading slash": "/a.png",
    "dot segment": "a/./b.png",
    "dot-dot segment": "a/../b.png",
    "tab": "a\tb.png",
    "newline": "a\nb.png",
}


def open_with_obstore(server: S3Server, bucket: str) -> S3Store:
    return S3Store(
        bucket,
        endpoint=server.endpoint,
        region="us-east-1",
        access_key_id=server.access_key,
        secret_access_key=server.secret_key,
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )


def refusal(error: pytest.ExceptionInfo[botocore.exceptions.ClientError]) -> tuple[int, str]:
    """Status and code of what the server answered."""
    answer: dict[str, Any] = error.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def test_no_credentials_are_found_unless_asked_for() -> None:
    assert boto3.Session().get_credentials() is None


def test_environment_is_enough_for_boto3(s3_env: dict[str, str], bucket: str) -> None:
    assert boto3.client("s3").list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_wrong_secret_is_refused(s3_server: S3Server, bucket: str) -> None:
    client = s3_server.client(AccessKey(s3_server.access_key, "wrong"))
    with pytest.raises(botocore.exceptions.ClientError) as error:
        client.list_objects_v2(Bucket=bucket)
    assert refusal(error) == (403, "SignatureDoesNotMatch")


def test_revoked_key_is_refused(s3_server: S3Server, bucket: str) -> None:
    key = s3_server.create_access_key()
    client = s3_server.client(key)
    client.put_object(Bucket=bucket, Key="x", Body=b"1")
    s3_server.remove_access_key(key)
    with pytest.raises(botocore.exceptions.ClientError) as error:
        client.get_object(Bucket=bucket, Key="x")
    assert refusal(error) == (403, "InvalidAccessKeyId")
    assert s3_server.client().get_object(Bucket=bucket, Key="x")["Body"].read() == b"1"


def test_put_if_absent_is_refused_on_an_existing_key(s3_server: S3Server, bucket: str) -> None:
    client = s3_server.client()
    client.put_object(Bucket=bucket, Key="x", Body=b"1", IfNoneMatch="*")
    with pytest.raises(botocore.exceptions.ClientError) as error:
        client.put_object(Bucket=bucket, Key="x", Body=b"2", IfNoneMatch="*")
    assert refusal(error) == (412, "PreconditionFailed")
    with pytest.raises(AlreadyExistsError):
        obstore.put(open_with_obstore(s3_server, bucket), "x", b"3", mode="create")
    assert client.get_object(Bucket=bucket, Key="x")["Body"].read() == b"1"


def test_get_if_match_is_refused_once_replaced(s3_server: S3Server, bucket: str) -> None:
    store = open_with_obstore(s3_server, bucket)
    etag = obstore.put(store, "x", b"1")["e_tag"]
    assert bytes(obstore.get(store, "x", options={"if_match": etag}).bytes()) == b"1"
    obstore.put(store, "x", b"2")
    with pytest.raises(PreconditionError):
        obstore.get(store, "x", options={"if_match": etag})


def test_listing_goes_on_over_pages(s3_server: S3Server, bucket: str) -> None:
    client = s3_server.client()
    names = [f"set/{number:02}" for number in range(25)]
    for name in names:
        client.put_object(Bucket=bucket, Key=name, Body=b"")
    pages = list(
        client.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix="set/", PaginationConfig={"PageSize": 10}
        )
    )
    assert [page["KeyCount"] for page in pages] == [10, 10, 5]
    assert [entry["Key"] for page in pages for entry in page["Contents"]] == names


def test_range_get(s3_server: S3Server, bucket: str) -> None:
    client = s3_server.client()
    client.put_object(Bucket=bucket, Key="x", Body=b"0123456789")
    answer = client.get_object(Bucket=bucket, Key="x", Range="bytes=2-4")
    assert (answer["ContentRange"], answer["Body"].read()) == ("bytes 2-4/10", b"234")


@pytest.mark.parametrize("name", KEYS)
def test_any_key_comes_back_as_it_went(s3_server: S3Server, bucket: str, name: str) -> None:
    if name == "newline" and s3_server.kind == "moto":
        pytest.skip("moto answers 404 to every key with a newline")
    client, key = s3_server.client(), KEYS[name]
    client.put_object(Bucket=bucket, Key=key, Body=name.encode())
    # boto3 asks for EncodingType=url and decodes: XML itself cannot carry every character.
    listed = client.list_objects_v2(Bucket=bucket, Prefix=key[:1])["Contents"]
    assert [entry["Key"] for entry in listed] == [key]
    assert client.get_object(Bucket=bucket, Key=key)["Body"].read() == name.encode()


@pytest.mark.usefixtures("ray_cluster")
def test_ray_workers_reach_the_server_by_their_own_environment(
    s3_server: S3Server, bucket: str
) -> None:
    import ray

    s3_server.client().put_object(Bucket=bucket, Key="x", Body=b"1")

    @ray.remote
    def fetch(bucket: str) -> bytes:
        return bytes(boto3.client("s3").get_object(Bucket=bucket, Key="x")["Body"].read())

    assert boto3.Session().get_credentials() is None
    assert ray.get(fetch.remote(bucket), timeout=60) == b"1"
