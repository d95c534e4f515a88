"""The one place where object stores and file systems are opened."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import botocore.config
import pyarrow.fs
from botocore.exceptions import BotoCoreError, ClientError
from obstore.fsspec import FsspecStore
from obstore.store import GCSStore, S3Store

from ufd_ray.errors import SettingsError
from ufd_ray.settings import InputSettings, JobSettings
from ufd_ray.storage.credentials import BotoCredentials
from ufd_ray.storage.plain_bytes import PlainBytesHandler
from ufd_ray.storage.uris import Location

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig


@dataclass(frozen=True)
class StorageOptions:
    """How storage is reached. Holds no secret; travels to every worker.

    Attributes:
        s3_endpoint: URL of an S3 server; None: what the AWS environment variables say.
        s3_requester_pays: we pay for requests to buckets that are read at the reader's expense.
        s3_kms_key: KMS key with which S3 encrypts what is written; None: as the bucket says.
        timeout_s: longest wait for one of our own files, retries included, in seconds.
        fetch_timeout_s: longest wait in one try at one crawled image.
        credentials_ttl_s: seconds after which boto3's chain is asked again.
        patient: storage has been reached once, so one that does not answer is waited for as long as
            `timeout_s`; without it, a wrong address is an error within seconds.
    """

    s3_endpoint: str | None = None
    s3_requester_pays: bool = False
    s3_kms_key: str | None = None
    timeout_s: float = 600.0
    fetch_timeout_s: float = 60.0
    credentials_ttl_s: float = 300.0
    patient: bool = False

    @classmethod
    def of(cls, settings: JobSettings) -> StorageOptions:
        """As a job's settings have it."""
        options = cls(
            s3_endpoint=settings.s3_endpoint,
            s3_requester_pays=settings.s3_requester_pays,
            s3_kms_key=settings.s3_kms_key,
        )
        if isinstance(settings, InputSettings):
            options = replace(options, fetch_timeout_s=settings.fetch_timeout_s)
        return options


@lru_cache(maxsize=64)
def open_store(
    scheme: str, bucket: str, options: StorageOptions, timeout_s: float | None = None
) -> S3Store | GCSStore:
    """An obstore client for one bucket, one per process.

    Args:
        scheme: `s3` or `gs`.
        bucket: its name.
        options: how storage is reached.
        timeout_s: longest wait for a crawled image, whose reader has further tries of its own;
            None: the store serves our own files, and waits and retries for `options.timeout_s`.

    Raises:
        SettingsError: the scheme is none of s3, gs.
    """
    retries, client = _patience(options) if timeout_s is None else _one_try(timeout_s)
    if scheme == "s3":
        return S3Store(bucket, retry_config=retries, client_options=client, **_s3(bucket, options))
    if scheme == "gs":
        return GCSStore(bucket, retry_config=retries, client_options=client)
    raise SettingsError(f"{scheme}:// is no object store: expected s3 or gs")


@lru_cache(maxsize=8)
def s3_client(options: StorageOptions, timeout_s: float | None = None) -> Any:
    """A boto3 client: for listing, and for the few keys that obstore cannot name.

    Args:
        options: how storage is reached.
        timeout_s: as for `open_store`.
    """
    num_requests = 3 if timeout_s else 20 if options.patient else 8
    # Servers of one's own rarely have a host name for every bucket: they get path-style addresses.
    styled = {"addressing_style": "path"} if _custom_endpoint(options) else {}
    client = boto3.Session().client(
        "s3",
        endpoint_url=options.s3_endpoint,
        region_name=_region(),
        config=botocore.config.Config(
            connect_timeout=min(10.0, timeout_s or 10.0),
            read_timeout=timeout_s or 60.0,
            retries={"mode": "standard", "total_max_attempts": num_requests},
            s3=styled,
        ),
    )
    if options.s3_requester_pays:
        # Here for all requests at once: not each of boto3's calls has a parameter for it.
        client.meta.events.register("before-call.s3", _accept_charges)
    return client


def open_filesystem(location: Location, options: StorageOptions) -> Any:
    """A pyarrow file system for Parquet, over the same client; its paths are `Location.path`."""
    if location.scheme == "file":
        return pyarrow.fs.LocalFileSystem()
    retries, client = _patience(options)
    settings = _s3(location.bucket, options) if location.scheme == "s3" else {}
    store = FsspecStore(location.scheme, retry_config=retries, client_options=client, **settings)
    return pyarrow.fs.PyFileSystem(PlainBytesHandler(store))


def _patience(options: StorageOptions) -> tuple[RetryConfig, ClientConfig]:
    # About ten seconds, or as long as the budget lasts. It ends before the request's own time, so
    # that the error says "throttled" rather than "timeout".
    return _retrying(options.timeout_s, 200 if options.patient else 10)


def _retrying(timeout_s: float, max_retries: int) -> tuple[RetryConfig, ClientConfig]:
    retries: RetryConfig = {
        "max_retries": max_retries,
        "retry_timeout": timedelta(seconds=0.8 * timeout_s),
        "backoff": {
            "init_backoff": timedelta(milliseconds=100),
            "max_backoff": timedelta(seconds=5),
            "base": 3,  # the wait is drawn between the first and `base` times the last: 2 stays low
        },
    }
    client: ClientConfig = {
        "timeout": timedelta(seconds=timeout_s),
        "connect_timeout": timedelta(seconds=min(10.0, timeout_s)),
        "allow_http": True,
    }
    return retries, client


def _one_try(timeout_s: float) -> tuple[RetryConfig, ClientConfig]:
    # Two quick repetitions heal a hiccup, and go on where a body broke off; the next try, seconds
    # later, is the reader's. A body of which nothing comes for a while is asked for again, too.
    retries, client = _retrying(timeout_s, 2)
    return retries, client | {"read_timeout": timedelta(seconds=timeout_s / 4)}


def _s3(bucket: str, options: StorageOptions) -> dict[str, Any]:
    endpoint = _custom_endpoint(options)
    settings: dict[str, Any] = {
        "credential_provider": BotoCredentials(options.credentials_ttl_s),
        "region": _region_of(bucket, options),
    }
    if endpoint:
        settings |= {"endpoint": endpoint, "virtual_hosted_style_request": False}
    if options.s3_requester_pays:
        settings["request_payer"] = True
    if options.s3_kms_key:
        settings |= {"server_side_encryption": "aws:kms", "sse_kms_key_id": options.s3_kms_key}
    return settings


def _accept_charges(params: dict[str, Any], **_: Any) -> None:
    params["headers"]["x-amz-request-payer"] = "requester"


def _custom_endpoint(options: StorageOptions) -> str | None:
    # boto3 knows best what flag, AWS_ENDPOINT_URL(_S3) and the profile together come to.
    client = boto3.Session().client("s3", endpoint_url=options.s3_endpoint, region_name=_region())
    url = str(client.meta.endpoint_url)
    host = (urlsplit(url).hostname or "").removesuffix(".cn")
    return None if host.endswith(".amazonaws.com") else url


def _region_of(bucket: str, options: StorageOptions) -> str:
    # boto3 follows a bucket to its region by itself, obstore has to be told.
    if _custom_endpoint(options):
        return _region()
    try:
        answer = s3_client(options).head_bucket(Bucket=bucket)
    except ClientError as error:
        answer = error.response  # who may not see the bucket is told its region all the same
    except BotoCoreError:
        return _region()  # whatever is wrong is said by the request that is to come
    headers = answer["ResponseMetadata"].get("HTTPHeaders", {})
    return str(headers.get("x-amz-bucket-region", _region()))


def _region() -> str:
    return boto3.Session().region_name or "us-east-1"
