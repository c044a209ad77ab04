"""What has to be in order before a daemon says that it is up. A feed that is away for now is no reason to be down."""

from datetime import date

from sqlalchemy import Engine, text

from daemon.errors import ConfigError
from daemon.services import Services
from daemon.sessions.desk import home_calendar
from ensemble.sessions import CalendarError
from storage.bar_store import newest_sessions
from storage.engine import StoreError, reading, transaction


def self_test(services: Services) -> None:
    """Nothing when calendar and database are in order; configuration, feed and lock were when they were opened.

    Raises ConfigError for an exchange without sessions, StoreError for a database that is damaged or not to be written.
    """
    settings = services.settings
    try:
        sessions = home_calendar(settings, services.clock.now()).sessions
    except (CalendarError, ValueError, OverflowError):
        sessions = None  # the clock's fault, which is watched in every turn and can be mended meanwhile
    if sessions is not None and not len(sessions):
        market = settings.market
        raise ConfigError(f"market.history_start was {market.history_start}; {market.exchange} has no session since.")
    if services.engine.dialect.name == "sqlite":
        with reading(services.engine) as conn:
            found = conn.scalar(text("PRAGMA quick_check(1)"))
        if found != "ok":
            raise StoreError(f"{services.engine.url.database} is damaged ({found}); restore a backup, or move it away.")
    with transaction(services.engine):
        pass


def newest_bar(engine: Engine) -> date | None:
    """The newest session that any symbol has a bar of; None where there is none."""
    with reading(engine) as conn:
        newest = newest_sessions(conn)
    return max(newest.values()).date() if newest else None
