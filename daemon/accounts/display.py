"""The paper account as people see it: its worth, what it holds, what it closed."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, Engine

from daemon.config.settings import Settings
from daemon.console.display import hold_line
from daemon.console.tables import new_table, open_console, print_json
from daemon.sessions.desk import home_calendar
from daemon.sessions.halt import holds_in_force, next_session
from ensemble.counted import counted
from ensemble.trading.account import AccountMark, Position, Trade
from ensemble.trading.events import EventKind
from ensemble.trading.holdings import Hold
from storage.account_store import newest_mark, read_account, read_events, read_marks, read_positions, read_trades
from storage.engine import reading
from storage.tables import LIVE, Origin

NOTHING_YET = {
    "live": "Nothing is settled yet; `reliance-daemon run-once`, after a session has closed, does it.",
    "backtest": "No backtest is stored; `reliance-daemon backtest --from DATE --to DATE` makes one.",
}

HELD_BACK = "not shown, held out by evaluation.holdout_from."


def show_account(engine: Engine, settings: Settings, origin: Origin, *, now: datetime, as_json: bool) -> None:
    """The newest mark, beside what the account began with."""
    with reading(engine) as conn:
        every = read_marks(conn, origin)
        marks = [mark for mark in every if mark.session <= _last_shown(settings, origin)]
        held_back = len(every) - len(marks)
        began_with = _began_with(conn, origin, marks, settings)
        holds = [] if held_back else _holds(conn, origin, marks, settings, now)
    if as_json:
        newest = asdict(marks[-1]) if marks else None
        halts = [asdict(hold) for hold in holds]
        print_json({"origin": origin, "mark": newest, "halts": halts, "held_back": held_back} | began_with)
        return
    console = open_console()
    if marks:
        console.print(_account_table(console, marks, began_with))
    elif not held_back:
        console.print(f"{began_with['began_with']:,.2f} in cash. {NOTHING_YET[origin]}")
    for hold in holds:
        console.print(hold_line(hold))
    if held_back:
        console.print(f"{counted(held_back, 'session')} {HELD_BACK}")


def show_positions(engine: Engine, settings: Settings, origin: Origin, *, as_json: bool) -> None:
    """What is held after the newest settled session."""
    with reading(engine) as conn:
        held, mark = read_positions(conn, origin), newest_mark(conn, origin)
    is_shown = mark is None or mark.session <= _last_shown(settings, origin)
    rows = [_position_row(position, settings) for position in held if is_shown]
    if as_json:
        print_json(rows)
        return
    console = open_console()
    if not is_shown:
        console.print(f"{counted(len(held), 'position')} {HELD_BACK}")
    elif rows and mark:
        console.print(_position_table(console, rows, mark.session))
    elif mark:
        console.print(f"Nothing is held (settled {mark.session}); `signals` shows what was decided last.")
    else:
        console.print(NOTHING_YET[origin])


def show_trades(engine: Engine, settings: Settings, origin: Origin, span: tuple[date, date], *, as_json: bool) -> None:
    """The positions closed in the sessions from span[0] to span[1], and their sum."""
    with reading(engine) as conn:
        stored, settled = read_trades(conn, origin), newest_mark(conn, origin) is not None
    every = [trade for trade in stored if trade.exit_session <= _last_shown(settings, origin)]
    held_back = len(stored) - len(every)
    trades = [trade for trade in every if span[0] <= trade.exit_session <= span[1]]
    if as_json:
        listed = [asdict(trade) for trade in trades]
        print_json({"trades": listed, "total": _total(trades), "held_back": held_back})
        return
    console = open_console()
    if trades:
        console.print(_trade_table(console, trades))
    elif every:
        console.print(f"No position was closed then; without --from and --to, {len(every)} are shown.")
    elif not held_back:
        console.print("No position was closed yet; `positions` shows what is held." if settled else NOTHING_YET[origin])
    if held_back:
        console.print(f"{counted(held_back, 'trade')} {HELD_BACK}")


def _last_shown(settings: Settings, origin: Origin) -> date:
    """Of a backtest the last session before the hold-out, which nothing looks at; the live account is no experiment."""
    return date.max if origin == LIVE else settings.evaluation.last_open(date.max)


def _began_with(conn: Connection, origin: Origin, marks: Sequence[AccountMark], settings: Settings) -> dict[str, Any]:
    """The cash that it was opened with, and what has become of it. One of an earlier version knows its first mark."""
    events = list(read_events(conn, origin))
    carried = any(event.kind is EventKind.CARRIED for event in events)
    opened = events[0].amount if events and not carried else None
    began_with = opened or (marks[0].equity if marks else settings.risk.initial_capital)
    change = marks[-1].equity - began_with if marks else 0.0
    deepest_pct = max((mark.drawdown_pct for mark in marks), default=0.0)
    return {
        "began_with": began_with,
        "change": change,
        "change_pct": 100 * change / began_with,
        "deepest_drawdown_pct": deepest_pct,
    }


def _holds(
    conn: Connection, origin: Origin, marks: Sequence[AccountMark], settings: Settings, now: datetime
) -> list[Hold]:
    """What halts the next session: of the live account the next to open, of a backtest's the one after its end."""
    account = read_account(conn, origin)
    if origin == LIVE:
        return holds_in_force(account, next_session(home_calendar(settings, now), now))
    return holds_in_force(account, marks[-1].session + timedelta(days=1)) if marks else []


def _account_table(console: Console, marks: Sequence[AccountMark], began_with: dict[str, Any]) -> Table:
    mark = marks[-1]
    table = new_table(console, f"Account, settled {mark.session}", "", "currency", "%")
    table.add_row("equity", f"{mark.equity:,.2f}", "")
    table.add_row(f"since {marks[0].session}", f"{began_with['change']:+,.2f}", f"{began_with['change_pct']:+.2f}")
    table.add_row("cash", f"{mark.cash:,.2f}", _share(mark.cash, mark))
    if mark.receivable:
        table.add_row("dividends to come", f"{mark.receivable:,.2f}", _share(mark.receivable, mark))
    table.add_row(
        f"exposure, {counted(mark.positions, 'position')}", f"{mark.exposure:,.2f}", _share(mark.exposure, mark)
    )
    table.add_row("below its peak", f"{mark.peak_equity - mark.equity:,.2f}", f"{mark.drawdown_pct:.2f}")
    table.add_row("deepest so far", "", f"{began_with['deepest_drawdown_pct']:.2f}")
    return table


def _share(part: float, mark: AccountMark) -> str:
    return f"{100 * part / mark.equity:.1f}" if mark.equity else ""


def _position_row(position: Position, settings: Settings) -> dict[str, Any]:
    sign = position.direction.sign
    gained = sign * position.quantity * (position.last_close - position.entry_price)
    return asdict(position) | {
        "market_value": position.value,
        "open_profit": gained - position.entry_cost + position.income,
        "return_pct": sign * 100 * (position.last_close / position.entry_price - 1),
        "sessions_left": max(settings.risk.max_holding_sessions - position.sessions_held, 0),
    }


def _position_table(console: Console, rows: Sequence[dict[str, Any]], session: date) -> Table:
    columns = ("symbol", "side", "entered", "shares", "entry", "stop", "last", "target", "value", "profit", "%")
    table = new_table(console, f"Positions, settled {session}", *columns, "sessions", "left", left=3)
    for row in rows:
        prices = (f"{row[name]:,.2f}" for name in ("entry_price", "stop_price", "last_close", "target_price"))
        table.add_row(
            *(row["symbol"], row["direction"], f"{row['entry_session']}", str(row["quantity"]), *prices),
            *(f"{row['market_value']:,.2f}", f"{row['open_profit']:+,.2f}", f"{row['return_pct']:+.2f}"),
            *(str(row["sessions_held"]), str(row["sessions_left"])),
        )
    return table


def _trade_table(console: Console, trades: Sequence[Trade]) -> Table:
    columns = ("symbol", "side", "entered", "closed", "reason", "shares", "entry", "exit", "cost", "profit")
    table = new_table(console, "Trades", *columns, left=5)
    for trade in trades:
        table.add_row(
            *(trade.symbol, trade.direction, f"{trade.entry_session}", f"{trade.exit_session}", trade.exit_reason),
            *(str(trade.quantity), f"{trade.entry_price:,.2f}", f"{trade.exit_price:,.2f}"),
            *(f"{trade.cost:,.2f}", f"{trade.profit:+,.2f}"),
        )
    total = _total(trades)
    words = f"{counted(total['trades'], 'trade')}, {total['won']} won"
    table.add_row(words, "", "", "", "", "", "", "", f"{total['cost']:,.2f}", f"{total['profit']:+,.2f}", style="bold")
    return table


def _total(trades: Sequence[Trade]) -> dict[str, Any]:
    return {
        "trades": len(trades),
        "won": sum(trade.profit > 0 for trade in trades),
        "cost": sum(trade.cost for trade in trades),
        "profit": sum(trade.profit for trade in trades),
    }
