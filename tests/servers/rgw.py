"""Ceph's own S3 gateway on one node: a monitor, an OSD that keeps everything in memory, radosgw.

Runs as root or not, on loopback only, with all of its files in one temporary folder.
"""

from __future__ import annotations

import secrets
import subprocess
import tempfile
import uuid
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3

from tests.servers.keys import AccessKey
from tests.servers.processes import free_port, running, wait_for_port

USER = "ufd-ray"

# Between the daemons no one authenticates; S3 requests always do. With cephx off the monitor's
# clients must be told `crc`, or they wait forever for a secure connection. The monitor gathers
# updates for a second before it proposes them, and the gateway makes a dozen pools one by one:
# with a shorter interval it is up after one second, not after twelve.
CONFIG = """\
[global]
fsid = {fsid}
mon host = v2:127.0.0.1:{mon_port}
public addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
ms mon cluster mode = crc
ms mon service mode = crc
run dir = {folder}
crash dir = {folder}
pid file =
admin socket =
log file = {folder}/$name.log

mon data = {folder}/mon
mon data avail crit = 1
paxos propose interval = 0.02
mon allow pool size one = true
mon max pg per osd = 1000
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0

osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = {memory_bytes}
osd class load list = *
osd class default list = *

rgw thread pool size = 32
rgw run sync thread = false
rgw dynamic resharding = false
rgw enable usage log = false

# Keys for SSE-KMS that the gateway itself holds; S3 over plain HTTP, which it refuses otherwise.
rgw crypt s3 kms backend = testing
rgw crypt s3 kms encryption keys = {kms_key}={kms_secret}
rgw crypt require ssl = false
"""

KMS_KEY = "test-key"


@dataclass(frozen=True)
class Rgw:
    """A running gateway. Its keys are made and revoked by `radosgw-admin`."""

    endpoint: str
    key: AccessKey
    config: Path

    def create_access_key(self) -> AccessKey:
        """A further pair of the same user."""
        key = _new_key()
        _admin(self.config, "key", "create", "--key-type=s3", *_as_options(key))
        return key

    def remove_access_key(self, key: AccessKey) -> None:
        """Revoke a pair; the gateway is told at once."""
        _admin(self.config, "key", "rm", "--key-type=s3", f"--access-key={key.access_key}")

    def create_user(self, policy: str) -> AccessKey:
        """A pair of a new user with one policy."""
        key, name = _new_key(), f"user-{uuid.uuid4().hex[:12]}"
        _admin(self.config, "user", "create", "--display-name=new", *_as_options(key), user=name)
        iam = boto3.client(
            "iam",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self.key.access_key,
            aws_secret_access_key=self.key.secret_key,
        )
        iam.put_user_policy(UserName=name, PolicyName="its-own", PolicyDocument=policy)
        return key


@contextmanager
def start_rgw(memory_bytes: int = 2 << 30) -> Iterator[Rgw]:
    """Run a gateway for as long as the block lasts."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ufd-ray-rgw-")))
        config, log = folder / "ceph.conf", folder / "output.log"
        fsid, osd_uuid, mon_port = str(uuid.uuid4()), str(uuid.uuid4()), free_port()
        config.write_text(
            CONFIG.format(
                fsid=fsid,
                mon_port=mon_port,
                folder=folder,
                memory_bytes=memory_bytes,
                kms_key=KMS_KEY,
                kms_secret=b64encode(secrets.token_bytes(32)).decode(),
            )
        )
        for name in ("mon", "osd"):
            (folder / name).mkdir()

        monmap = folder / "monmap"
        address = f"[v2:127.0.0.1:{mon_port}]"
        _call("monmaptool", "--create", "--fsid", fsid, "--addv", "a", address, monmap)
        mon: list[str | Path] = ["ceph-mon", "-c", config, "-i", "a"]
        _call(*mon, "--mkfs", "--monmap", monmap)
        wait_for_port(stack.enter_context(running([*mon, "-f"], log)), mon_port, log)

        _call("ceph", "-c", config, "--connect-timeout=300", "osd", "new", osd_uuid)
        osd: list[str | Path] = ["ceph-osd", "-c", config, "-i", "0"]
        _call(*osd, "--mkfs", "--osd-uuid", osd_uuid)
        stack.enter_context(running([*osd, "-f"], log))

        key = _new_key()
        may_give_policies = "--caps=user-policy=*"
        _admin(
            config, "user", "create", "--display-name=tests", may_give_policies, *_as_options(key)
        )
        port = free_port()
        # Without tcp_nodelay every small GET waits 40 ms for the delayed acknowledgement.
        frontend = f"--rgw-frontends=beast endpoint=127.0.0.1:{port} tcp_nodelay=1"
        gateway = running(["radosgw", "-c", config, "-n", "client.rgw", "-f", frontend], log)
        wait_for_port(stack.enter_context(gateway), port, log)
        yield Rgw(f"http://127.0.0.1:{port}", key, config)


def _new_key() -> AccessKey:
    return AccessKey(uuid.uuid4().hex[:20].upper(), uuid.uuid4().hex)


def _as_options(key: AccessKey) -> list[str]:
    return [f"--access-key={key.access_key}", f"--secret-key={key.secret_key}"]


def _admin(config: Path, *arguments: str, user: str = USER) -> None:
    _call("radosgw-admin", "-c", config, "-n", "client.rgw", *arguments, f"--uid={user}")


def _call(*command: str | Path) -> str:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout
