"""`halt` and `resume`: open the database, do it, say what it means."""

from datetime import datetime

import typer

from daemon.config.settings import Settings
from daemon.console.tables import print_json
from daemon.sessions.halt import HALT_FILE, halt, resume
from storage.engine import open_store


def halt_command(settings: Settings, *, now: datetime, reason: str, as_json: bool) -> None:
    """Halts, and says from when on."""
    engine = open_store(settings.storage.database_url, group_read=settings.storage.group_read)
    try:
        since = halt(engine, settings, now=now, note=reason)
    finally:
        engine.dispose()
    if as_json:
        print_json({"halted_from": since})
    else:
        typer.echo(
            f"halted: nothing is entered from session {since} on; what is held closes as ever. `resume` ends it."
        )


def resume_command(settings: Settings, *, now: datetime, as_json: bool) -> None:
    """Resumes, and says what was ended, and what was not."""
    engine = open_store(settings.storage.database_url, group_read=settings.storage.group_read)
    try:
        resumed = resume(engine, settings, now=now)
    finally:
        engine.dispose()
    if as_json:
        print_json({"ended": [hold.reason for hold in resumed.ended], "file_halts": resumed.file_halts})
        return
    ended = ", ".join(hold.reason for hold in resumed.ended)
    typer.echo(f"resumed: {ended}" if ended else "resumed: nothing was halted by command or drawdown")
    if resumed.file_halts:
        typer.echo(f"{settings.storage.state_dir / HALT_FILE} is still there and halts; remove it.")
