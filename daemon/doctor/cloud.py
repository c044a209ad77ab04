"""Is the bucket up to date, and could it be written to?"""

import os
import stat
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Engine

from daemon.config.settings import Settings
from daemon.doctor.finding import Finding, fail, ok, warn
from daemon.health.judge import lacking_text
from daemon.mirror.mirroring import local_state
from daemon.mirror.options import CloudOptions
from storage.cloud.bucket import CloudError
from storage.cloud.push import read_latest
from storage.engine import reading
from storage.mirror_spool import read_mirror

_HOW = "`models push` says what is wrong; docs/cloud.md."


def cloud_finding(settings: Settings, engine: Engine | None, now: datetime) -> Finding:
    """What the configuration and the last attempts say; nobody is asked."""
    if settings.cloud.bucket is None:
        return ok("cloud", "cloud.bucket is not set: nothing is mirrored")
    refused = _credential(settings.cloud)
    if refused is not None or engine is None:
        return refused or warn("cloud", "nothing is mirrored yet", "`reliance-daemon run-once` begins.")
    with reading(engine) as conn:
        state = read_mirror(conn)
    if lacking := lacking_text(state, now):
        return warn("cloud", lacking, _HOW)
    if state.mirrored_at is None:
        return warn("cloud", "nothing is mirrored yet", _HOW)
    return ok("cloud", f"the bucket has {state.what} since {state.mirrored_at:%Y-%m-%d %H:%M}Z")


def bucket_finding(settings: Settings, engine: Engine | None) -> Finding:
    """What the bucket itself says: is it there, may it be read, and is its LATEST what serves here?"""
    bucket = settings.cloud.open_bucket(os.environ)
    if bucket is None:
        return ok("bucket", "cloud.bucket is not set")
    try:
        with bucket, TemporaryDirectory(prefix="cloud-look-") as scratch:
            latest = read_latest(bucket, Path(scratch))
    except CloudError as error:
        seen, _, remedy = str(error).rpartition("; ")
        return fail("bucket", seen or remedy, remedy if seen else _HOW)
    where = bucket.url
    if latest is None:
        return warn("bucket", f"{where} holds nothing yet", "`models push` brings models and backup there.")
    local = local_state(engine, settings) if engine else None
    if local is not None and latest.model_id != local.model_id:
        return warn("bucket", f"{where} has model {latest.model_id}, and {local.model_id} serves here", _HOW)
    if local is not None and latest.settled != local.settled:
        return warn("bucket", f"{where} has settled {latest.settled}, and this machine {local.settled}", _HOW)
    return ok("bucket", f"{where}: model {latest.model_id}, settled {latest.settled}")


def _credential(options: CloudOptions) -> Finding | None:
    """What is wrong with the credential's file, if there is one."""
    file = options.credentials_file(os.environ)
    if file is None:
        return None
    if not os.access(file, os.R_OK, effective_ids=True):
        return fail("cloud", f"{file} can't be read", "name the key file of a service account in cloud.credentials.")
    if file.stat().st_mode & stat.S_IROTH:
        return fail("cloud", f"everybody may read {file}", f"`chmod o-r {file}`.")
    return None
