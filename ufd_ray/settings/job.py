"""What every job knows."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator


class JobSettings(BaseModel):
    """What every job knows."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        coerce_numbers_to_str=True,
        allow_inf_nan=False,
    )

    changes_no_row: ClassVar[frozenset[str]] = frozenset(
        (
            *("device", "num_encoders", "gpus_per_encoder", "wait_for_gpus_s", "batch_size"),
            *("fetch_timeout_s", "fetch_attempts", "reuse_embeddings", "num_workers", "lease_s"),
            *("weights", "output", "run_id", "rows_per_file", "dry_run", "max_error_rate"),
            *("gallery", "progress_s", "max_failures", "s3_requester_pays", "s3_kms_key"),
            *("search", "search_device", "search_memory_mb", "search_shards"),
        )
    )
    """Settings that may differ between two submissions of what is the same work."""

    s3_endpoint: str | None = Field(
        None, description="URL of an S3 server; without it, what the AWS environment says"
    )
    s3_requester_pays: bool = Field(
        False, description="pay for requests to S3 buckets that are read at the reader's expense"
    )
    s3_kms_key: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9:/_.-]{1,2048}$",
        description="id, ARN or alias of the KMS key with which S3 encrypts what is written",
    )

    @field_validator("s3_endpoint")
    @classmethod
    def _is_an_address(cls, url: str | None) -> str | None:
        parts = urlsplit(url or "http://default")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("no http:// or https:// URL")
        if parts.username or parts.password:
            raise ValueError("credentials in a URL end up in records; give them to the environment")
        return url

    def fingerprint(self) -> dict[str, Any]:
        """The settings that decide what comes out, for comparing two submissions."""
        return self.model_dump(mode="json", by_alias=True, exclude=set(self.changes_no_row))
