"""One S3 server for all tests: Ceph's gateway where it is installed, else moto.

`UFD_RAY_TEST_S3=rgw|moto` picks one; `UFD_RAY_TEST_S3_REQUIRED=rgw` refuses to fall back.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import boto3
from botocore.config import Config

from tests.servers.keys import AccessKey, Account
from tests.servers.moto import start_moto
from tests.servers.rgw import start_rgw

Kind = Literal["rgw", "moto"]
KINDS: tuple[Kind, ...] = ("rgw", "moto")
REGION = "us-east-1"


@dataclass(frozen=True)
class S3Server:
    """A running server and the key pair of its only user."""

    endpoint: str
    access_key: str
    secret_key: str = field(repr=False)
    kind: Kind
    account: Account = field(repr=False)

    def environment(self, key: AccessKey | None = None) -> dict[str, str]:
        """The variables by which everything here finds the server: boto3, obstore and workers.

        `AWS_ALLOW_HTTP` is left out on purpose: nobody who sets `AWS_ENDPOINT_URL` for boto3 would
        think of it.
        """
        key = key or self.key
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": key.access_key,
            "AWS_SECRET_ACCESS_KEY": key.secret_key,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,  # boto3 reads only this one
            # Trailing checksums make multipart writes fail with 411 on servers such as Ceph's.
            "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
            "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
        }

    @property
    def key(self) -> AccessKey:
        """The pair that lasts as long as the server."""
        return AccessKey(self.access_key, self.secret_key)

    def client(self, key: AccessKey | None = None) -> Any:
        """A boto3 client, by default with the server's lasting key pair."""
        key = key or self.key
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=key.access_key,
            aws_secret_access_key=key.secret_key,
            config=Config(
                s3={"addressing_style": "path"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                retries={"total_max_attempts": 1},
            ),
        )

    def make_bucket(self) -> str:
        """The name of a new, empty bucket."""
        name = f"bucket-{uuid.uuid4().hex[:12]}"
        self.client().create_bucket(Bucket=name)
        return name

    def create_access_key(self) -> AccessKey:
        """A further key pair of the same user, for credentials that expire while a job runs."""
        return self.account.create_access_key()

    def remove_access_key(self, key: AccessKey) -> None:
        """Revoke such a pair: the next request that it signs is answered with 403."""
        self.account.remove_access_key(key)

    def create_user(self, policy: Mapping[str, Any]) -> AccessKey:
        """A pair of another user, who may do what an IAM policy allows and nothing else."""
        return self.account.create_user(json.dumps(policy))


@contextmanager
def start_s3_server() -> Iterator[S3Server]:
    """Run the server for as long as the block lasts, and say on stderr which one it is."""
    kind = _choose()
    print(f"S3 server of the tests: {kind}", file=sys.stderr)
    with start_rgw() if kind == "rgw" else start_moto() as account:
        key = account.key
        yield S3Server(account.endpoint, key.access_key, key.secret_key, kind, account)


def _choose() -> Kind:
    required, wanted = _kind("UFD_RAY_TEST_S3_REQUIRED"), _kind("UFD_RAY_TEST_S3")
    if required and wanted and required != wanted:
        raise RuntimeError(f"UFD_RAY_TEST_S3={wanted}, but UFD_RAY_TEST_S3_REQUIRED={required}")
    installed = shutil.which("radosgw") is not None
    kind = required or wanted or ("rgw" if installed else "moto")
    if kind == "rgw" and not installed:
        raise RuntimeError(
            "radosgw is asked for, but not on PATH: "
            "apt-get install --no-install-recommends radosgw ceph-mon ceph-osd ceph-common"
        )
    return kind


def _kind(variable: str) -> Kind | None:
    value = os.environ.get(variable)
    for kind in KINDS:
        if value == kind:
            return kind
    if value:
        raise RuntimeError(f"{variable}={value}: it must be one of {', '.join(KINDS)}")
    return None
