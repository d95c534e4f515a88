"""AWS configuration as people have it: a named profile, or a process that hands out keys."""

from __future__ import annotations

import json
import os
import shlex
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.servers.keys import AccessKey
from tests.servers.s3 import REGION, S3Server

_CHECKSUMS = """\
request_checksum_calculation = when_required
response_checksum_validation = when_required
"""
_HAND_OUT = """\
import pathlib
folder = pathlib.Path(__file__).parent
with (folder / "calls").open("a") as calls:
    calls.write("x")
print((folder / "key.json").read_text())
"""


def write_profile(folder: Path, server: S3Server) -> dict[str, str]:
    """A profile with everything in it: the variables that choose it are all that a job is given."""
    (folder / "config").write_text(
        f"[profile crawler]\nregion = {REGION}\nendpoint_url = {server.endpoint}\n{_CHECKSUMS}"
    )
    (folder / "credentials").write_text(
        f"[crawler]\naws_access_key_id = {server.access_key}\n"
        f"aws_secret_access_key = {server.secret_key}\n"
    )
    return _environment(folder)


def _environment(folder: Path) -> dict[str, str]:
    return {
        "AWS_PROFILE": "crawler",
        "AWS_CONFIG_FILE": str(folder / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@dataclass(frozen=True)
class KeyService:
    """A process that hands out the key pair of the moment, as a company's own login tool does."""

    folder: Path
    environment: dict[str, str]

    @classmethod
    def start(cls, folder: Path, server: S3Server, key: AccessKey) -> KeyService:
        """Set the profile up."""
        (folder / "hand_out.py").write_text(_HAND_OUT)
        (folder / "calls").touch()
        (folder / "credentials").touch()
        command = shlex.join([sys.executable, str(folder / "hand_out.py")])
        (folder / "config").write_text(
            f"[profile crawler]\nregion = {REGION}\nendpoint_url = {server.endpoint}\n"
            f"credential_process = {command}\n{_CHECKSUMS}"
        )
        service = cls(folder, _environment(folder))
        service.hand_out(key)
        return service

    def hand_out(self, key: AccessKey) -> None:
        """From now on give this pair to whoever asks. A minute's life makes boto3 ask each time."""
        answer = {
            "Version": 1,
            "AccessKeyId": key.access_key,
            "SecretAccessKey": key.secret_key,
            "SessionToken": None,
            "Expiration": (datetime.now(UTC) + timedelta(minutes=1)).isoformat(),
        }
        draft = self.folder / "key.json.new"
        draft.write_text(json.dumps({k: v for k, v in answer.items() if v is not None}))
        os.replace(draft, self.folder / "key.json")

    @property
    def num_calls(self) -> int:
        """How often it was asked."""
        return (self.folder / "calls").stat().st_size
