"""The [cloud] table: where models and backups are mirrored to, and by whose credential."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from ensemble.options import Options
from storage.cloud.bucket import Bucket

CREDENTIAL = "secret_cloud.json"
"""The file that systemd makes of /etc/reliance-daemon/credentials/cloud.json, in $CREDENTIALS_DIRECTORY."""


class CloudOptions(Options):
    """The [cloud] table."""

    bucket: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$",
        description="bucket of Google Cloud Storage that models and backups are mirrored to; without one nothing is",
    )
    prefix: str = Field(
        default="reliance/models",
        max_length=200,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$",
        description="what the names of all objects begin with; one for each account",
    )
    credentials: Path | None = Field(
        default=None, description="key file of a service account or workload identity, if not the environment's"
    )
    timeout_s: float = Field(default=60, ge=1, le=600, description="how long the bucket may be silent, seconds")
    backups_kept: int = Field(
        default=30, ge=0, le=10_000, description="database backups that stay in the bucket, count; 0 removes none"
    )

    def credentials_file(self, environ: Mapping[str, str]) -> Path | None:
        """The configured one, else what systemd hands over; None for whatever else the environment offers."""
        handed = Path(environ.get("CREDENTIALS_DIRECTORY", "")) / CREDENTIAL
        return self.credentials or (handed if handed.is_absolute() and handed.is_file() else None)

    def open_bucket(self, environ: Mapping[str, str]) -> Bucket | None:
        """The bucket, which nobody has asked anything yet; None where none is configured."""
        if self.bucket is None:
            return None
        return Bucket(self.bucket, self.prefix, self.credentials_file(environ), self.timeout_s)
