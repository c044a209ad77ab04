"""The kill switch: no new entries, by command or by a file, until somebody resumes. What is held closes as ever.

Either is an event of the live account, so it outlives every restart. It takes one short transaction and no lock: it
works while the daemon does.
"""

from dataclasses import dataclass
from datetime import date, datetime

import pandas as pd
from sqlalchemy import Connection, Engine

from daemon.config.settings import Settings
from daemon.notify.channels import announce
from daemon.notify.notices import halt_notices
from daemon.services import Services
from daemon.sessions.desk import home_calendar
from ensemble.sessions import SessionCalendar
from ensemble.trading.account import Account, open_account
from ensemble.trading.guards import end_drawdown, let_go, throw_switch
from ensemble.trading.holdings import Cause, Hold
from ensemble.trading.journal import Journal
from storage.account_store import read_account, write_events
from storage.engine import reading, transaction
from storage.tables import LIVE

HALT_FILE = "HALT"
"""In the state folder: while it is there, nothing is entered."""
FILE_NOTE = "the file HALT is there"


@dataclass(frozen=True, slots=True)
class Resumed:
    """What a command to resume ended, and whether the file still halts."""

    ended: tuple[Hold, ...]
    file_halts: bool


def halt(engine: Engine, settings: Settings, *, now: datetime, note: str) -> date:
    """The first session without entries: the next to open. Halting twice is halting once."""
    with transaction(engine) as conn:
        return halt_within(conn, settings, now=now, note=note)


def halt_within(conn: Connection, settings: Settings, *, now: datetime, note: str) -> date:
    """`halt` in a transaction that has more to write."""
    account = _account(read_account(conn, LIVE), settings)
    journal = _journal(account, settings, now)
    known = [hold for hold in _switches(account, Cause.COMMAND) if hold.note == note and hold.since <= journal.session]
    if known:
        return known[0].since
    throw_switch(journal, Cause.COMMAND, note)
    _keep(conn, settings, journal, now)
    return journal.session


def resume(engine: Engine, settings: Settings, *, now: datetime) -> Resumed:
    """Ends every halt by command, from the next session to open on, and a drawdown halt at once."""
    file_halts = _file_is_there(settings)
    with transaction(engine) as conn:
        account = _account(read_account(conn, LIVE), settings)
        journal = _journal(account, settings, now)
        ended = let_go(journal, [Cause.COMMAND] if file_halts else [*Cause]) + end_drawdown(journal)
        if ended:
            _keep(conn, settings, journal, now)
    return Resumed(tuple(ended), file_halts)


def follow_file(services: Services) -> None:
    """Halts the live account when the file has come, and ends that when it has gone.

    A switch, whoever threw it, that begins after the next session was thrown while the clock was ahead: it is thrown
    again by the right one.
    """
    is_there = _file_is_there(services.settings)
    with reading(services.engine) as conn:
        if _is_followed(services, conn, is_there=is_there):
            return
    with transaction(services.engine) as conn:
        if _is_followed(services, conn, is_there=is_there):
            return
        account, now = _account(services.book.read(conn, LIVE), services.settings), services.clock.now()
        journal = _journal(account, services.settings, now)
        if not is_there:
            let_go(journal, [Cause.FILE])
        elif not _switches(account, Cause.FILE):
            throw_switch(journal, Cause.FILE, FILE_NOTE)
        for hold in _ahead(journal.account, journal.session):
            throw_switch(journal, hold.cause or Cause.COMMAND, hold.note)
        _keep(conn, services.settings, journal, now)


def _keep(conn: Connection, settings: Settings, journal: Journal, now: datetime) -> None:
    """The events, and the news of a halt that begins or ends for whoever is to be told."""
    write_events(conn, LIVE, journal.events)
    for notice in halt_notices(journal.events, journal.account):
        announce(conn, settings, notice, at=now)


def holds_in_force(account: Account | None, session: date) -> list[Hold]:
    """What keeps the account from entering positions in `session`, all of them or one symbol's."""
    return [hold for hold in (account.holds if account else ()) if hold.forbids(hold.symbol or "", session)]


def next_session(calendar: SessionCalendar, now: datetime) -> date:
    """The first session that has not opened at `now`."""
    following: date = calendar.sessions[calendar.opens > pd.Timestamp(now)][0].date()
    return following


def _is_followed(services: Services, conn: Connection, *, is_there: bool) -> bool:
    account = services.book.read(conn, LIVE)
    if account is None or is_there != bool(_switches(account, Cause.FILE)):
        return account is None and not is_there
    if not any(_switches(account, cause) for cause in Cause):
        return True
    now = services.clock.now()
    return not _ahead(account, next_session(home_calendar(services.settings, now), now))


def _file_is_there(settings: Settings) -> bool:
    return (settings.storage.state_dir / HALT_FILE).exists()


def _switches(account: Account, cause: Cause) -> list[Hold]:
    """Kill switches of that cause that nobody has let go."""
    return [hold for hold in account.holds if hold.cause is cause and hold.until is None]


def _ahead(account: Account, session: date) -> list[Hold]:
    """Those that begin after `session`: whoever threw them had a clock that was ahead."""
    return [hold for cause in Cause for hold in _switches(account, cause) if hold.since > session]


def _account(account: Account | None, settings: Settings) -> Account:
    return account or open_account(settings.risk)


def _journal(account: Account, settings: Settings, now: datetime) -> Journal:
    """Of the next session to open: what is commanded while one is open changes nothing about it."""
    return Journal(account, next_session(home_calendar(settings, now), now), commanded_at=now)
