from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ufd_ray.command_line import read_settings
from ufd_ray.errors import SettingsError
from ufd_ray.redaction import find_secret, redact
from ufd_ray.settings import ScoreSettings

KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SIGNATURE = "fe5f80f77d5fa3beca038a248ff027d0445342fe2855ddc963176630326f1024"
HEADER = (
    f"AWS4-HMAC-SHA256 Credential={KEY}/20261124/us-east-1/s3/aws4_request,"
    f"SignedHeaders=host;x-amz-date,Signature={SIGNATURE}"
)


@pytest.mark.parametrize(
    "text",
    [
        f"GET https://b.example.org/k?X-Amz-Credential={KEY}%2F2026&X-Amz-Signature={SIGNATURE}",
        f"cannot open 'https://h/k?sig={SIGNATURE}'",
        f"cannot open s3://{KEY}:{SECRET}@bucket/key",
        f"cannot open https://user:{SECRET}@host:443/key",
        f"cannot open https://user:{SIGNATURE}@host/key",
        f"s3://bucket/key?X-Amz-Signature={SIGNATURE}",
        f"Authorization: {HEADER}",
        f'{{"Authorization": "{HEADER}", "Host": "h"}}',
        f"authorization=Basic {SIGNATURE}",
        f"X-Amz-Security-Token: {SIGNATURE}",
        f"<Error><AWSAccessKeyId>{KEY}</AWSAccessKeyId><SignatureProvided>{SIGNATURE}</SignatureProvided>",
        f"<StringToSign>AWS4-HMAC-SHA256 x {SIGNATURE}",
        f"<CanonicalRequest>GET / host:h x-amz-security-token:{SIGNATURE} ",
        f"the key {KEY} is unknown",
        f'"SecretAccessKey": "{SECRET}"',
        f"aws_secret_access_key = {SECRET}",
        f"session_token={SIGNATURE}&Signature={SIGNATURE}",
    ],
)
def test_secrets_are_cut_out(text: str) -> None:
    safe = redact(text)
    assert "…" in safe
    for secret in (KEY, SECRET, SIGNATURE):
        assert secret not in safe
    assert redact(safe) == safe


@pytest.mark.parametrize(
    "text",
    [
        "s3://bucket/a%20b #1.jpg cannot be read: there is no such bucket",
        "s3://bucket/photo?size=large.jpg is not there",
        "the server refuses the signature: the secret key is wrong (SignatureDoesNotMatch)",
        "no S3 credentials found: set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        "Error performing GET http://127.0.0.1:1/bucket/key in 8ms - HTTP error: connection reset",
        "/home/me@work/photo.jpg",
    ],
)
def test_the_rest_stays(text: str) -> None:
    assert redact(text) == text


@given(st.text())
def test_nothing_breaks_it(text: str) -> None:
    redact(text)
    find_secret(text)


@pytest.mark.parametrize(
    ("uri", "named"),
    [
        (f"https://user:{SECRET}@host/a.jpg", "a user name or password"),
        ("s3://key@bucket/a.jpg", "a user name or password"),
        ("https://host/a.jpg?X-Amz-Signature=1", "X-Amz-Signature"),
        ("https://host/a.jpg?w=1&x%2Damz-credential=1", "x-amz-credential"),
        ("https://host/a.jpg?X-Goog-Signature=1", "X-Goog-Signature"),
        ("HTTPS://host/a.jpg?sv=1&sig=1", "sig"),
        ("https://host/a.jpg?token=1", "token"),
        ("https://host/a.jpg?Signature=1&AWSAccessKeyId=x", "Signature"),
        ("s3://bucket/a.jpg?X-Amz-Security-Token=1", "X-Amz-Security-Token"),
    ],
)
def test_secrets_in_a_uri_are_found_and_not_repeated(uri: str, named: str) -> None:
    found = find_secret(uri)
    assert found is not None
    assert named in found
    assert SECRET not in found


@pytest.mark.parametrize(
    "uri",
    [
        *("/photos/me@home.jpg", "photos/a?sig=1.jpg", "s3://bucket/me@home.jpg", "s3://b/a?b=c"),
        *("s3://bucket/photo.jpg?token=1", "https://host/a.jpg?width=640", "https://host/@me.jpg"),
        *("file:///a@b.jpg", "s3://bucket/signature=no/a.jpg", "https://host/?signatures=2"),
    ],
)
def test_other_names_are_no_secrets(uri: str) -> None:
    assert find_secret(uri) is None


@pytest.mark.parametrize("flag", ["--input", "--output", "--bank", "--probe", "--weights"])
@pytest.mark.parametrize(
    "place",
    [f"s3://{KEY}:{SECRET}@bucket/x", f"https://host/x?X-Amz-Signature={SIGNATURE}"],
)
def test_no_setting_takes_a_secret_or_repeats_it(flag: str, place: str) -> None:
    given = {"--input": "in", "--output": "out", "--bank": "bank"} | {flag: place}
    with pytest.raises(SettingsError) as caught:
        read_settings(ScoreSettings, [word for pair in given.items() for word in pair])
    assert str(caught.value).startswith(f"{flag}: ")
    assert "in a URI ends up in records" in str(caught.value)
    for secret in (KEY, SECRET, SIGNATURE):
        assert secret not in str(caught.value)


def test_an_argument_nobody_knows_is_not_repeated_whole() -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(ScoreSettings, [f"https://host/x?X-Amz-Signature={SIGNATURE}"])
    assert "unknown argument 'https://host/x?…'" in str(caught.value)
