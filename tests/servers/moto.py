"""moto as a server with signatures enforced: the S3 that pip alone brings.

moto accepts anything until it is told otherwise. So the user and its key are made first, then
`/moto-api/reset-auth` sets the number of further requests that go unchecked to zero: from then on
a wrong secret, an unknown key and an action that no policy allows are all answered with 403.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from tests.servers.keys import AccessKey
from tests.servers.processes import free_port, running, wait_for_port

USER = "ufd-ray"
REGION = "us-east-1"
EVERYTHING = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}


@dataclass(frozen=True)
class Moto:
    """A running moto. Its keys are made and revoked over its IAM API."""

    endpoint: str
    key: AccessKey

    def create_access_key(self) -> AccessKey:
        """A further pair of the same user."""
        return _create_access_key(_iam(self.endpoint, self.key))

    def remove_access_key(self, key: AccessKey) -> None:
        """Revoke a pair; moto looks keys up at every request."""
        iam = _iam(self.endpoint, self.key)
        iam.delete_access_key(UserName=USER, AccessKeyId=key.access_key)

    def create_user(self, policy: str) -> AccessKey:
        """A pair of a new user with one policy. Its conditions are not looked at."""
        name, iam = f"user-{uuid.uuid4().hex[:12]}", _iam(self.endpoint, self.key)
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="its-own", PolicyDocument=policy)
        return _create_access_key(iam, name)


@contextmanager
def start_moto() -> Iterator[Moto]:
    """Run moto for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="ufd-ray-moto-") as folder:
        log, port = Path(folder, "output.log"), free_port()
        command = [sys.executable, "-m", "moto.server", "--port", str(port)]
        env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "MOTO_")) and name != "INITIAL_NO_AUTH_ACTION_COUNT"
        }
        with running(command, log, env) as process:
            wait_for_port(process, port, log)
            endpoint = f"http://127.0.0.1:{port}"
            yield Moto(endpoint, _enforce_signatures(endpoint))


def _enforce_signatures(endpoint: str) -> AccessKey:
    iam = _iam(endpoint, AccessKey("anyone", "anything"))
    iam.create_user(UserName=USER)
    policy = json.dumps(EVERYTHING)
    iam.put_user_policy(UserName=USER, PolicyName="everything", PolicyDocument=policy)
    key = _create_access_key(iam)
    enforce = urllib.request.Request(
        f"{endpoint}/moto-api/reset-auth",
        data=b"0",
        # As a form, urllib's default, the body would not reach moto.
        headers={"Content-Type": "text/plain"},
    )
    urllib.request.urlopen(enforce, timeout=60).close()
    return key


def _create_access_key(iam: Any, user: str = USER) -> AccessKey:
    answer = iam.create_access_key(UserName=user)["AccessKey"]
    return AccessKey(answer["AccessKeyId"], answer["SecretAccessKey"])


def _iam(endpoint: str, key: AccessKey) -> Any:
    return boto3.client(
        "iam",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=key.access_key,
        aws_secret_access_key=key.secret_key,
    )
