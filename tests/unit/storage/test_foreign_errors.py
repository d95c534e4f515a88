from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ParamValidationError,
    ReadTimeoutError,
)
from obstore import exceptions as obs

from ufd_ray.errors import FetchError
from ufd_ray.storage.foreign_errors import classify, explain, one_line


def client_error(status: int, code: str) -> ClientError:
    answer: Any = {
        "Error": {"Code": code, "Message": "…"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(answer, "GetObject")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (FileNotFoundError(2, "No such file"), "not_found"),
        (NotADirectoryError(20, "Not a directory"), "not_found"),
        (IsADirectoryError(21, "Is a directory"), "not_found"),
        (PermissionError(13, "Permission denied"), "forbidden"),
        (OSError(5, "Input/output error"), "network"),
        (OSError("the connection timed out"), "timeout"),
        (obs.NotFoundError("404"), "not_found"),
        (obs.PermissionDeniedError("403"), "forbidden"),
        (obs.UnauthenticatedError("401"), "forbidden"),
        (obs.PreconditionError("412"), "changed"),
        (obs.GenericError("status code: 503 Service Unavailable: SlowDown"), "throttled"),
        (obs.GenericError("server returned 429 Too Many Requests"), "throttled"),
        (obs.GenericError("server returned 500 Internal Server Error"), "network"),
        (obs.GenericError("server returned 400 Bad Request: ExpiredToken"), "forbidden"),
        (obs.GenericError("server returned 408 Request Timeout"), "timeout"),
        (obs.GenericError("request timed out"), "timeout"),
        (obs.GenericError("operation timeout"), "timeout"),
        (obs.GenericError("deadline has elapsed"), "timeout"),
        (obs.GenericError("connection reset by peer"), "network"),
        (obs.GenericError("photo 404 of 503 could not be parsed"), "network"),
        (obs.GenericError("404 Not Found.jpg: broke off"), "network"),
        (obs.GenericError("status code: 409 Conflict"), "forbidden"),
        (obs.GenericError("body error Debug source: HttpError { kind: Timeout }"), "timeout"),
        (obs.GenericError("retry_timeout: 3.2s - HTTP error: error sending request"), "network"),
        (obs.GenericError("no S3 credentials found: set AWS_PROFILE"), "forbidden"),
        (client_error(404, "NoSuchKey"), "not_found"),
        (client_error(403, "AccessDenied"), "forbidden"),
        (client_error(400, "ExpiredToken"), "forbidden"),
        (client_error(412, "PreconditionFailed"), "changed"),
        (client_error(503, "SlowDown"), "throttled"),
        (client_error(500, "InternalError"), "network"),
        (ConnectTimeoutError(endpoint_url="http://x"), "timeout"),
        (EndpointConnectionError(endpoint_url="http://x"), "network"),
        (ValueError("embedded null byte"), "not_found"),
        (OSError(36, "File name too long"), "not_found"),
        (ReadTimeoutError(endpoint_url="http://x"), "timeout"),
        (ParamValidationError(report="Invalid length for parameter Key"), "not_found"),
        (RuntimeError("who knows"), "network"),
    ],
)
def test_every_error_of_a_client_has_its_word(error: Exception, code: str) -> None:
    classified = classify(error)
    assert isinstance(classified, FetchError)
    assert classified.code == code


def test_a_message_is_one_short_line() -> None:
    message = classify(obs.GenericError("first\n\n  second " + "x" * 1000)).message
    assert message.startswith("first second x")
    assert len(message) == 500


def refusal(status: str, code: str, message: str) -> obs.GenericError:
    """What obstore makes of S3's answer to a PUT."""
    return obs.GenericError(
        "Error performing PUT http://s3/b/k in 8ms - Server returned non-2xx status code: "
        f"{status}: <Error><Code>{code}</Code><Message>{message}</Message></Error>"
    )


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (refusal("400 Bad Request", "KMS.NotFoundException", "Invalid keyId"), "no such KMS key"),
        (refusal("400 Bad Request", "KMS.DisabledException", "k is disabled"), "no such KMS key"),
        (
            refusal("403 Forbidden", "AccessDenied", "u is not authorized: kms:GenerateDataKey"),
            "may not encrypt",
        ),
        (
            refusal("403 Forbidden", "AccessDenied", "u is not authorized: kms:Decrypt"),
            "may not decrypt",
        ),
        (refusal("403 Forbidden", "AccessDenied", "Access Denied"), "not allowed to do this"),
        (
            refusal("403 Forbidden", "InvalidAccessKeyId", "There is no such key"),
            "does not know the access key",
        ),
    ],
)
def test_what_is_wrong_with_a_kms_key_is_told_from_other_refusals(
    error: Exception, said: str
) -> None:
    assert said in explain(error)


HOSTILE = (
    '<?xml version="1.0"?><Error><Code>SignatureDoesNotMatch</Code>'
    "<Message>got wJalrXUtnFEMI</Message>"
    "<AWSAccessKeyId>AKIAIOSFODNN7EXAMPLE</AWSAccessKeyId></Error>"
)


@pytest.mark.parametrize(
    "error",
    [
        obs.GenericError(
            "Error performing GET http://127.0.0.1:1/b/k?X-Amz-Signature=fe5f80f7 in 8ms - Server"
            f" returned non-2xx status code: 500 Internal Server Error: {HOSTILE}\n\nDebug source:"
        ),
        ClientError({"Error": {"Code": "SignatureDoesNotMatch", "Message": HOSTILE}}, "GetObject"),
        ClientError(
            {
                "Error": {"Code": "SignatureDoesNotMatch", "Message": f"a\nb: {HOSTILE}"},
                "ResponseMetadata": {"RetryAttempts": 2, "MaxAttemptsReached": True},
            },
            "GetObject",
        ),
        EndpointConnectionError(
            endpoint_url="http://h/b?X-Amz-Signature=fe5f80f7&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE"
        ),
    ],
)
def test_what_a_server_repeats_of_a_request_is_not_repeated(error: Exception) -> None:
    for text in (one_line(error), classify(error).message):
        for secret in ("wJalrXUtnFEMI", "AKIAIOSFODNN7EXAMPLE", "fe5f80f7"):
            assert secret not in text
        assert "SignatureDoesNotMatch" in text or "http://h/b" in text
