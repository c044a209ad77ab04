"""What the store holds of one forecast: the row, its members, the signal, how it was decided, what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, func, select

from daemon.errors import DaemonError
from ensemble.forecasts import Forecast
from ensemble.trading.events import AccountEvent
from ensemble.trading.signals import Signal
from storage.account_store import read_events
from storage.forecast_store import read_member_forecasts
from storage.model_index import ModelEntry, read_model
from storage.outcome_store import read_outcomes
from storage.rows import record_columns
from storage.run_store import Run, done_runs, read_run
from storage.signal_store import read_decision_instants, read_signals
from storage.tables import Origin, forecasts


@dataclass(frozen=True, slots=True)
class Question:
    """Which row is to be explained."""

    session: date
    symbol: str
    label: str
    origin: Origin = "live"


@dataclass(frozen=True, slots=True)
class Stored:
    """All that is kept of it."""

    forecast: Forecast | None
    """None where nothing was forecast, as without bars."""
    members: Mapping[str, float]
    """Member -> its probability."""
    signal: Signal | None
    """Of the session and symbol, whatever label it trades; None for a symbol that is not traded."""
    decided_at: datetime
    run: Run | None
    """Of a live decision."""
    model: ModelEntry | None
    outcome: int | None
    events: Sequence[AccountEvent]
    """Of the account of that origin, all of them."""
    decided: Sequence[date]
    """The sessions that were decided, oldest first."""


def read_stored(conn: Connection, asked: Question) -> Stored:
    """Raises DaemonError when neither a forecast nor a signal is stored, and says which are."""
    key = {"session": asked.session, "symbol": asked.symbol, "label": asked.label, "origin": asked.origin}
    row = conn.execute(select(*record_columns(Forecast, forecasts)).filter_by(**key)).first()
    forecast = None if row is None else Forecast(*row)
    signal = next((one for one in read_signals(conn, asked.origin, asked.session) if one.symbol == asked.symbol), None)
    span = {"first": asked.session, "last": asked.session}
    instants = read_decision_instants(conn, asked.origin, **span)
    if (forecast is None and signal is None) or asked.session not in instants:
        raise DaemonError(_missing(conn, asked))
    return Stored(
        forecast=forecast,
        members=_members(conn, asked),
        signal=signal,
        decided_at=instants[asked.session],
        run=read_run(conn, asked.origin, "decide", asked.session),
        model=None if forecast is None else read_model(conn, forecast.model_id),
        outcome=_outcome(conn, asked),
        events=list(read_events(conn, asked.origin)),
        decided=sorted(done_runs(conn, asked.origin, "decide")),
    )


def newest_session(conn: Connection, origin: Origin) -> date | None:
    """The newest session that something was forecast for."""
    newest: date | None = conn.scalar(select(func.max(forecasts.c.session)).where(forecasts.c.origin == origin))
    return newest


def _members(conn: Connection, asked: Question) -> dict[str, float]:
    span = {"first": asked.session, "last": asked.session}
    rows = read_member_forecasts(conn, **span, label=asked.label, symbols=[asked.symbol])
    own = rows[rows["origin"] == asked.origin]
    return dict(zip(own["member"], own["probability"], strict=True))


def _outcome(conn: Connection, asked: Question) -> int | None:
    rows = read_outcomes(conn, first=asked.session, last=asked.session, label=asked.label)
    own = rows.loc[rows["symbol"] == asked.symbol, "outcome"]
    return int(own.iloc[0]) if len(own) else None


def _missing(conn: Connection, asked: Question) -> str:
    """As in "nothing live is stored of RELIANCE.NS on 2021-08-15; 45 sessions from 2021-08-27 to 2021-11-01 are"."""
    of_symbol = (forecasts.c.origin == asked.origin, forecasts.c.symbol == asked.symbol)
    sessions = func.count(func.distinct(forecasts.c.session))
    found = conn.execute(
        select(sessions, func.min(forecasts.c.session), func.max(forecasts.c.session)).where(*of_symbol)
    ).one()
    if found[0]:
        return (
            f"nothing {asked.origin} is stored of {asked.symbol} on {asked.session}; "
            f"sessions from {found[1]} to {found[2]} are."
        )
    symbols = conn.scalars(select(forecasts.c.symbol).where(forecasts.c.origin == asked.origin).distinct()).all()
    there = ", ".join(sorted(symbols)[:20]) or "no symbol at all"
    return f"nothing {asked.origin} is stored of {asked.symbol}; there is of {there}."
