"""Errors of storage clients and servers → words and codes of ours, with no secret in them."""

from __future__ import annotations

import errno
import re

from botocore.exceptions import (
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)
from obstore import exceptions as obs

from ufd_ray.errors import ErrorCode, FetchError
from ufd_ray.redaction import redact
from ufd_ray.storage.credentials import NO_CREDENTIALS

_BY_STATUS = {
    400: ErrorCode.FORBIDDEN,  # what S3 answers to expired or malformed credentials
    404: ErrorCode.NOT_FOUND,
    408: ErrorCode.TIMEOUT,
    410: ErrorCode.NOT_FOUND,
    412: ErrorCode.CHANGED,
    429: ErrorCode.THROTTLED,
    503: ErrorCode.THROTTLED,
}
_STATUS = re.compile(r"(?:status code:|server returned) (\d{3})\b", re.IGNORECASE)
# Not the setting `retry_timeout`, which obstore names in every error.
_TIMED_OUT = re.compile(r"(?<!retry_)timed? ?out|deadline", re.IGNORECASE)
# What a server wrote itself: it has seen our signed request, and may repeat it.
_BODY = re.compile(
    r"(status code: \d{3}[^:]*|An error occurred \([^)]*\) when calling [^:]*): (.*)", re.DOTALL
)
_CODE = re.compile(r"<Code>([A-Za-z.]{1,40})</Code>")
_NO_KMS_KEY = "S3 finds no such KMS key, or none that can be used; --s3-kms-key names another"
_MEANINGS = {
    # Before the codes below, which some servers give to what is wrong with a KMS key as well.
    "<Code>KMS.": _NO_KMS_KEY,
    "Failed to retrieve the actual key, kms-keyid": _NO_KMS_KEY,
    "kms:GenerateDataKey": "the credentials may not encrypt with the KMS key (kms:GenerateDataKey)",
    "kms:Decrypt": "the credentials may not decrypt with the KMS key (kms:Decrypt)",
    "SignatureDoesNotMatch": "the server refuses the signature: the secret key is wrong"
    " (SignatureDoesNotMatch)",
    "InvalidAccessKeyId": "the server does not know the access key (InvalidAccessKeyId)",
    "ExpiredToken": "the credentials have expired (ExpiredToken)",
    "no S3 credentials found": NO_CREDENTIALS,
    "Unable to locate credentials": NO_CREDENTIALS,
    "NoSuchBucket": "there is no such bucket",
    "AccessDenied": "the credentials are not allowed to do this (AccessDenied)",
    "Connection refused": "the server does not answer (connection refused)",
}


def one_line(error: BaseException) -> str:
    """A client's error in one line: without stack traces, secrets, or a server's own prose."""
    text = " ".join(str(error).split()).partition(" Debug source:")[0]
    return redact(_BODY.sub(_only_the_code, text))


def explain(error: BaseException) -> str:
    """What a storage client's error means, in one line without secrets or stack traces."""
    for sign, meaning in _MEANINGS.items():
        if sign in str(error):
            return meaning
    return one_line(error)[:300]


def classify(error: Exception) -> FetchError:
    """What any error of a read means for the image that was to be read."""
    match error:
        case FetchError():
            return error
        case obs.NotFoundError() | FileNotFoundError() | NotADirectoryError() | IsADirectoryError():
            code = ErrorCode.NOT_FOUND
        case ValueError() | ParamValidationError() | OSError(errno=errno.ENAMETOOLONG):
            code = ErrorCode.NOT_FOUND  # a name that nothing can bear
        case obs.PermissionDeniedError() | obs.UnauthenticatedError() | PermissionError():
            code = ErrorCode.FORBIDDEN
        case NoCredentialsError() | PartialCredentialsError():
            code = ErrorCode.FORBIDDEN
        case obs.PreconditionError():
            code = ErrorCode.CHANGED
        case ClientError():
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            code = code_of_status(status)
        case obs.BaseError() | HTTPClientError() | OSError():
            code = _code_in(str(error))
        case _:
            code = ErrorCode.NETWORK
    return FetchError(code, one_line(error)[:500])


def code_of_status(status: int) -> ErrorCode:
    """What an HTTP status other than success means."""
    refused = ErrorCode.FORBIDDEN if 400 <= status < 500 else ErrorCode.NETWORK
    return _BY_STATUS.get(status, refused)


def _code_in(text: str) -> ErrorCode:
    # obstore has one class for all that is left; what it was stands in its text.
    if status := _STATUS.search(text):
        return code_of_status(int(status[1]))
    if "no S3 credentials found" in text:  # as `credentials` says it
        return ErrorCode.FORBIDDEN
    return ErrorCode.TIMEOUT if _TIMED_OUT.search(text) else ErrorCode.NETWORK


def _only_the_code(match: re.Match[str]) -> str:
    code = _CODE.search(match[2])
    return f"{match[1]} ({code[1]})" if code else match[1]
