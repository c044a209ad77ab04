"""The [cloud] table: where models and backups are mirrored to, and by whose credential."""

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from ensemble.options import Options
from storage.cloud.bucket import Bucket

CREDENTIALS = Path("/etc/reliance-daemon/credentials")
"""The folder that the unit takes its secrets from; root alone may read it."""
KEY = "cloud.json"
CREDENTIAL = f"secret_{KEY}"
"""The file that systemd makes of it, in $CREDENTIALS_DIRECTORY."""


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

    def credentials_file(self, environ: Mapping[str, str], *, folder: Path = CREDENTIALS) -> Path | None:
        """The configured one, else what systemd hands over; None for whatever else the environment offers.

        Where systemd hands nothing over, in a command by hand, it is the file itself, for who may read it: root.
        """
        if self.credentials is not None:
            return self.credentials
        handed = environ.get("CREDENTIALS_DIRECTORY")
        if handed is None:
            own = folder / KEY
            return own if os.access(own, os.R_OK, effective_ids=True) else None
        file = Path(handed) / CREDENTIAL
        return file if file.is_absolute() and file.is_file() else None

    def open_bucket(self, environ: Mapping[str, str]) -> Bucket | None:
        """The bucket, which nobody has asked anything yet; None where none is configured."""
        if self.bucket is None:
            return None
        return Bucket(self.bucket, self.prefix, self.credentials_file(environ), self.timeout_s)
