"""What is stored of one origin: its forecasts with what came of them, and its account. Live and backtest stay apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

import numpy as np
import pandas as pd
from sqlalchemy import Connection

from daemon.config.settings import Settings
from daemon.evaluating.holdout import without_holdout
from ensemble.arrays import Floats
from ensemble.evaluation.account_path import AccountPath
from ensemble.evaluation.scored import Scored, scored_labels
from ensemble.evaluation.slices import only_symbols
from ensemble.trading.account import Trade
from ensemble.trading.events import AccountEvent, EventKind, standing
from storage.account_store import newest_mark, read_events, read_marks, read_trades
from storage.backtest_store import BACKTEST
from storage.forecast_store import read_member_forecasts
from storage.outcome_store import read_scored
from storage.tables import LIVE, Origin


@dataclass(frozen=True, slots=True)
class Span:
    """The sessions that are looked at."""

    first: date
    last: date

    def holds(self, session: date) -> bool:
        """True for one of them."""
        return self.first <= session <= self.last


@dataclass(frozen=True, slots=True)
class Record:
    """What one origin said and did within the span."""

    origin: Origin
    said: pd.DataFrame
    """One row a forecast made in time: session, symbol, label, probability, outcome; none that is held out."""
    labels: Mapping[str, Scored]
    """The same by label, where some outcome is known."""
    members: pd.DataFrame
    """What each member said of the traded label: session, symbol, label, member, probability."""
    path: AccountPath | None
    """The account over the sessions that were settled, with what it closed; None where none was."""
    entries: Mapping[tuple[str, date], AccountEvent]
    """Symbol and session -> the entry, with its stop and target."""
    held_back: int
    """Sessions whose forecasts stay unseen."""

    @property
    def is_empty(self) -> bool:
        """Nothing was ever said or settled."""
        return self.said.empty and self.path is None

    @property
    def trades(self) -> Sequence[Trade]:
        """Closed within the span."""
        return () if self.path is None else self.path.trades

    def said_by_members(self, scored: Scored) -> dict[str, Floats]:
        """Member -> its probabilities beside those of `scored`, (n_symbols, n_sessions)."""
        wide = self.members.pivot(index=["member", "symbol"], columns="session", values="probability")
        beside = wide.reindex(columns=scored.sessions)
        names = dict.fromkeys(wide.index.get_level_values("member"))
        return {name: beside.loc[name].reindex(scored.symbols).to_numpy(np.float64) for name in names}


def read_records(conn: Connection, span: Span, settings: Settings, now: datetime) -> tuple[Record, Record]:
    """The live one and the backtest's, within the span.

    Nothing is held out that is shown: of a backtest nothing from the hold-out on, of the live account its worth, its
    trades and no forecast.
    """
    members = read_member_forecasts(conn, first=span.first, last=span.last, label=settings.signals.label)
    by_origin = {str(origin): rows for origin, rows in members.groupby("origin")}
    live, backtest = (
        replace(_read_record(conn, origin, span, settings, now), members=by_origin.get(origin, members.iloc[:0]))
        for origin in (LIVE, BACKTEST)
    )
    return live, backtest


def _read_record(conn: Connection, origin: Origin, span: Span, settings: Settings, now: datetime) -> Record:
    """Still without what the members said."""
    every = read_scored(conn, origin, first=span.first, last=span.last)
    said = without_holdout(every, settings, now=now)
    labels = scored_labels(said, settings.labels.barrier.limits)
    seen = span if origin == LIVE else Span(span.first, settings.evaluation.last_open(span.last))
    events = list(read_events(conn, origin))
    entries = [one for one in standing(events, events) if one.kind is EventKind.ENTERED]
    return Record(
        origin=origin,
        said=said,
        labels={label: scored for label, scored in labels.items() if scored.known.any()},
        members=pd.DataFrame(),
        path=_path(conn, origin, seen, events),
        entries={(str(one.symbol), one.session): one for one in entries if seen.holds(one.session)},
        held_back=int(every["session"].nunique() - said["session"].nunique()),
    )


def of_symbols(record: Record, label: str, symbols: Sequence[str]) -> Scored | None:
    """The forecasts of one label for some symbols; None where no outcome of theirs is known."""
    scored = record.labels.get(label)
    own = None if scored is None else only_symbols(scored, symbols)
    return own if own is not None and bool(np.any(own.known)) else None


def nothing_known(record: Record) -> str:
    """The line that stands where nothing can be shown, and what will fill it."""
    if record.held_back and record.said.empty:
        return "All of these sessions are held out (evaluation.holdout_from)."
    if record.origin == LIVE:
        return "No outcome is known yet; each settled session adds some."
    return "No backtest is stored for these sessions; `reliance-daemon backtest --from DATE --to DATE` makes one."


def _path(conn: Connection, origin: Origin, seen: Span, events: Sequence[AccountEvent]) -> AccountPath | None:
    """From the equity at the close before, or the cash that the account was opened with."""
    marks = [mark for mark in read_marks(conn, origin) if seen.holds(mark.session)]
    if not marks:
        return None
    before = newest_mark(conn, origin, before=marks[0].session)
    opened = next((one.amount for one in events if one.kind is EventKind.OPENED), None)
    capital = before.equity if before else opened or marks[0].equity
    return AccountPath(capital, marks, [one for one in read_trades(conn, origin) if seen.holds(one.exit_session)], ())
