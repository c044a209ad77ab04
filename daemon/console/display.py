"""What a person sees: tables on a terminal, plain text when piped, JSON when asked."""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine

from daemon.config.settings import Settings
from daemon.console.redaction import one_line, redacted
from daemon.console.tables import new_table, open_console, print_json
from daemon.health.judge import hold_text
from daemon.services import Services
from daemon.sessions.reconcile import Reconciled
from ensemble.counted import counted
from ensemble.labels import LABELS
from ensemble.sessions import trading_hours
from ensemble.trading.account import AccountMark
from ensemble.trading.holdings import Hold
from ensemble.trading.signals import Signal
from storage.account_store import newest_mark
from storage.engine import reading
from storage.forecast_store import read_forecasts
from storage.signal_store import newest_signal_session, read_signals
from storage.tables import LIVE

QUERY = "SELECT session, symbol, action, confidence, reasons FROM v_latest_signals"


def show_reconciled(services: Services, reconciled: Reconciled, *, as_json: bool) -> None:
    """The newest session's forecasts and signals, the account, and what comes next."""
    with reading(services.engine) as conn:
        session = newest_signal_session(conn, LIVE)
        signals = read_signals(conn, LIVE, session) if session else []
        forecasts = read_forecasts(conn, first=session, last=session) if session else pd.DataFrame()
        mark = newest_mark(conn, LIVE)
    if as_json:
        print_json(
            {
                "done": [f"{task.kind} {task.session:%Y-%m-%d}" for task in reconciled.done],
                "waiting": [f"{task.kind} {task.session:%Y-%m-%d}" for task in reconciled.waiting],
                "next_wake": reconciled.next_wake.isoformat(),
                "signals": _with_intervals(signals, forecasts),
            }
        )
        return
    console = open_console()
    if not reconciled.done:
        console.print("Nothing was left to do." if not reconciled.waiting else _waiting(reconciled))
    if len(forecasts) and session:
        shown = (forecasts["origin"] == LIVE) & forecasts["symbol"].isin(services.settings.market.symbols)
        console.print(_forecast_table(console, forecasts[shown], session))
    console.print(_signal_table(console, signals, forecasts))
    console.print(account_line(mark, services.settings))
    console.print(f"Next: {local_time(reconciled.next_wake, services.settings)}")
    if services.settings.report.enabled:
        page = services.settings.report.path(services.settings.storage.state_dir)
        console.print(f"See it:\n  {page}", soft_wrap=True)
    if services.engine.url.database and services.engine.dialect.name == "sqlite":
        console.print(f"Ask more:\n  {query_command(services.engine.url.database)}", soft_wrap=True)


def show_signals(engine: Engine, session: date | None, *, as_json: bool) -> None:
    """The signals of a session, by default the newest."""
    with reading(engine) as conn:
        chosen = session or newest_signal_session(conn, LIVE)
        signals = read_signals(conn, LIVE, chosen) if chosen else []
        forecasts = read_forecasts(conn, first=chosen, last=chosen) if chosen else pd.DataFrame()
    if as_json:
        print_json(_with_intervals(signals, forecasts))
        return
    console = open_console()
    if signals:
        console.print(_signal_table(console, signals, forecasts))
    else:
        console.print(f"No signals for {chosen}." if chosen else "No signals yet; run `reliance-daemon run-once`.")


def _forecast_table(console: Console, forecasts: pd.DataFrame, session: date) -> Table:
    columns = ("symbol", "label", "who speaks", "P(up)", "Venn-Abers", "members' mean")
    table = new_table(console, f"Forecasts for {session:%A %Y-%m-%d}", *columns, left=3)
    for row in forecasts.sort_values("label", key=lambda labels: labels.map(LABELS.index)).to_dict("records"):
        table.add_row(
            row["symbol"],
            row["label"],
            row["method"],
            f"{row['probability']:.3f}",
            _interval(row["probability_low"], row["probability_high"]),
            f"{row['probability_mean']:.3f}",
        )
    return table


def _interval(low: float | None, high: float | None) -> str:
    """Empty where there was too little history for one; SQL has NULL there, a data frame NaN."""
    return "" if pd.isna(low) or pd.isna(high) else f"{low:.3f} to {high:.3f}"


def _with_intervals(signals: Sequence[Signal], forecasts: pd.DataFrame) -> list[dict[str, Any]]:
    """The signals' fields, and the interval of the probability that each follows from."""
    kept = {
        (row["symbol"], row["label"]): (row["probability_low"], row["probability_high"])
        for row in forecasts.to_dict("records")
        if row["origin"] == LIVE
    }
    bounds = [kept.get((signal.symbol, signal.label), (None, None)) for signal in signals]
    return [
        asdict(signal) | {"probability_low": low, "probability_high": high}
        for signal, (low, high) in zip(signals, bounds, strict=True)
    ]


def _signal_table(console: Console, signals: Sequence[Signal], forecasts: pd.DataFrame) -> Table:
    session = f" for {signals[0].session}" if signals else ""
    weighed = any(signal.expected_value_bp is not None for signal in signals)
    columns = ("symbol", "action", "reasons", "shares", "P(up)", "Venn-Abers", "confidence")
    table = new_table(console, f"Signals{session}", *columns, *(["worth, bp"] if weighed else []), left=3)
    for signal, row in zip(signals, _with_intervals(signals, forecasts), strict=True):
        said = ["", "", ""]
        if signal.probability is not None and signal.confidence is not None:
            interval = _interval(row["probability_low"], row["probability_high"])
            said = [f"{signal.probability:.3f}", interval, f"{signal.confidence:.3f}"]
        if weighed:
            said.append("" if signal.expected_value_bp is None else f"{signal.expected_value_bp:.1f}")
        table.add_row(signal.symbol, signal.action, ", ".join(signal.reasons), str(signal.quantity), *said)
    return table


def account_line(mark: AccountMark | None, settings: Settings) -> str:
    """What the account holds, in a line."""
    if mark is None:
        return f"Account: {settings.risk.initial_capital:,.2f} in cash, nothing settled yet"
    return (
        f"Account: equity {mark.equity:,.2f}, cash {mark.cash:,.2f}, {counted(mark.positions, 'position')}, "
        f"{mark.drawdown_pct:.2f} % below its peak (settled {mark.session})"
    )


def hold_line(hold: Hold) -> str:
    """As in "Halted: nothing is entered (DRAWDOWN_HALT since 2021-10-01, 12 sessions left)"."""
    return f"Halted: {one_line(redacted(hold_text(hold)))}"


def query_command(database: str) -> str:
    """A command that asks the database, with what this machine has."""
    if shutil.which("sqlite3"):
        return f'sqlite3 -box {database} "{QUERY}"'
    ask = f"pandas.read_sql('{QUERY}', sqlite3.connect('{database}'))"
    return f'{sys.executable} -c "import pandas, sqlite3; print({ask})"'


def _waiting(reconciled: Reconciled) -> str:
    sessions = ", ".join(f"{task.session:%Y-%m-%d}" for task in reconciled.waiting)
    return f"The feed has no bars yet of {sessions}; they are settled when it has."


def local_time(instant: pd.Timestamp, settings: Settings) -> str:
    """On the exchange's wall clock, with its zone."""
    zone = trading_hours(settings.market.exchange).zone
    return f"{instant.tz_convert(zone):%Y-%m-%d %H:%M} {zone}"
