"""The report as a page, and as a file that is whole or the one before."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from daemon.clock import FixedClock
from daemon.config.settings import Settings
from daemon.errors import DaemonError
from daemon.explaining.explain import onlooker
from daemon.report.material import Asked, read_material
from daemon.report.page import render
from daemon.report.sections import sections
from storage.durable import give_to_owner, replace_durably


def report_page(engine: Engine, settings: Settings, asked: Asked, *, now: datetime) -> str:
    """The HTML. It only reads. Raises WrongQuestion for what can't be shown, StoreError."""
    with _no_collection():
        material = read_material(onlooker(engine, settings, FixedClock(now)), asked)
        return render(material, sections(material))


def write_report(engine: Engine, settings: Settings, asked: Asked, *, now: datetime, path: Path) -> int:
    """Its size in bytes. Who may look at the database may look at the daemon's own report, nobody else at any.

    Raises DaemonError where it can't be written too.
    """
    if path.is_dir():
        raise DaemonError(f"{path} is a folder; name a file in it.")
    content = report_page(engine, settings, asked, now=now).encode()
    is_own = path == settings.report.path(settings.storage.state_dir)
    try:
        replace_durably(
            path,
            content,
            draft=path.with_name(f".{path.name}.draft"),
            mode=0o640 if is_own and settings.storage.group_read else 0o600,
        )
        give_to_owner(path)
    except OSError as error:
        raise DaemonError(f"{path} can't be written: {error.strerror}; name another file.") from error
    return len(content)


@contextmanager
def _no_collection() -> Iterator[None]:
    """All that is read lives until the page is made: to look for garbage among it takes a fifth of a second."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
