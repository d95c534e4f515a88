"""What a test may do with the S3 server's user: get one more key pair, and take it away again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class AccessKey:
    """A key pair that signs requests."""

    access_key: str
    secret_key: str = field(repr=False)


class Account(Protocol):
    """The one user of a running server."""

    @property
    def endpoint(self) -> str: ...

    @property
    def key(self) -> AccessKey:
        """The pair that lasts as long as the server."""

    def create_access_key(self) -> AccessKey:
        """A further pair of the same user."""

    def remove_access_key(self, key: AccessKey) -> None:
        """Revoke a pair: the next request that it signs is refused."""

    def create_user(self, policy: str) -> AccessKey:
        """A pair of a new user, who may do what an IAM policy (JSON) allows and nothing else."""
