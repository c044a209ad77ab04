"""Who is told what: the channels by whose names the outbox keeps what each is still to get."""

from datetime import datetime

from sqlalchemy import Connection

from daemon.config.settings import Settings
from storage.outbox_store import Notice, add_notice

PING = "ping"
"""The kind of a sign of life, and the channel that it goes to."""


def channels(settings: Settings) -> dict[str, str]:
    """Where each channel leads, the sign of life included."""
    ping = settings.health.ping_url
    return {**settings.notify.channels, **({PING: ping} if ping else {})}


def announce(conn: Connection, settings: Settings, notice: Notice, *, at: datetime) -> None:
    """Puts the notice into the outbox for whoever wants to hear it, in the transaction of what it tells of."""
    if notice.kind == PING:
        told = [PING] if settings.health.ping_url else []
    else:
        told = list(settings.notify.channels) if notice.kind in settings.notify.events else []
    if told:
        add_notice(conn, told, notice, at=at)
