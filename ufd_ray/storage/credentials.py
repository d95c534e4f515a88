"""S3 credentials: whatever boto3's own chain finds (environment, profiles, web identity, roles)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import boto3

from ufd_ray.errors import SettingsError

NO_CREDENTIALS = (
    "no S3 credentials found: set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or"
    " give the machine a role"
)
"""What to do where the chain ends empty."""


class BotoCredentials:
    """Credential provider for obstore that asks boto3's chain again every `ttl_s` seconds.

    boto3 renews what expires by itself, ten minutes or more ahead; a `ttl_s` below that keeps us
    from holding on to what it has already replaced. Pickled without any secret: a worker asks the
    chain of its own environment.
    """

    def __init__(self, ttl_s: float) -> None:
        self._ttl_s = ttl_s
        self._chain: Any = None

    def __call__(self) -> dict[str, Any]:
        """Return the credentials of this moment, in obstore's form.

        Raises:
            SettingsError: the chain finds no credentials.
        """
        if self._chain is None:
            self._chain = boto3.Session().get_credentials()
        if self._chain is None:
            raise SettingsError(NO_CREDENTIALS)
        now = self._chain.get_frozen_credentials()
        return {
            "access_key_id": now.access_key,
            "secret_access_key": now.secret_key,
            "token": now.token,
            "expires_at": datetime.now(UTC) + timedelta(seconds=self._ttl_s),
        }

    def __reduce__(self) -> tuple[Any, ...]:
        return BotoCredentials, (self._ttl_s,)
