"""The report as a file that is whole or the one before."""

from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from daemon.config.settings import Settings
from daemon.errors import DaemonError
from daemon.report.material import Asked, read_material
from daemon.report.page import render
from daemon.report.sections import sections
from storage.durable import replace_durably


def write_report(engine: Engine, settings: Settings, asked: Asked, *, now: datetime, path: Path) -> int:
    """Its size in bytes. Raises DaemonError where it can't be written, StoreError."""
    material = read_material(engine, settings, asked, now=now)
    content = render(material, sections(material)).encode()
    try:
        replace_durably(path, content, draft=path.with_name(f".{path.name}.draft"))
    except OSError as error:
        raise DaemonError(f"{path} can't be written: {error.strerror}; name another file.") from error
    return len(content)


def report_file(settings: Settings) -> Path:
    """Where the daemon keeps it."""
    return settings.report.file or settings.storage.state_dir / "report.html"
