"""How an account's performance is shown: each figure with its interval, beside doing nothing and beside chance."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from daemon.console.number_cells import NONE, cell, ends
from daemon.console.tables import new_table
from ensemble.counted import counted
from ensemble.evaluation.account_report import AccountReport
from ensemble.evaluation.drawdown import Drawdown
from ensemble.evaluation.performance import Part
from ensemble.evaluation.return_figures import SESSIONS_A_YEAR
from ensemble.evaluation.sharpe_odds import SharpeOdds

COLUMNS = ("account", "95 % interval", "buy and hold", "95 % interval", "held at its exposure")
AT_RANDOM = ("random entries", "middle 95 %", "p")
TESTED = ("total_return_pct", "mean_trade_bp")
"""The figures that are compared with random entries by a test; all of them would be luck by number."""


@dataclass(frozen=True, slots=True)
class _Row:
    figure: str
    title: str
    digits: int


RETURN_ROWS = (
    _Row("total_return_pct", "total return, %", 2),
    _Row("cagr_pct", "growth a year (CAGR), %", 2),
    _Row("volatility_pct", "volatility a year, %", 2),
    _Row("sharpe", "Sharpe ratio", 2),
    _Row("sortino", "Sortino ratio", 2),
    _Row("calmar", "Calmar ratio", 2),
    _Row("max_drawdown_pct", "deepest drawdown, %", 2),
)
DRAWDOWN_ROWS = (
    _Row("length_sessions", "its length, sessions", 0),
    _Row("recovery_sessions", "its recovery, sessions", 0),
    _Row("longest_sessions", "longest below a peak, sessions", 0),
)
TRADE_ROWS = (
    _Row("trades", "trades closed", 0),
    _Row("hit_rate_pct", "hit rate, %", 1),
    _Row("mean_trade_bp", "a trade after costs, bp", 1),
    _Row("expectancy", "a trade after costs, currency", 2),
    _Row("payoff_ratio", "payoff ratio", 2),
    _Row("profit_factor", "profit factor", 2),
    _Row("holding_sessions", "holding, sessions", 1),
)
USE_ROWS = (
    _Row("exposure_pct", "mean exposure, % of equity", 2),
    _Row("invested_sessions_pct", "sessions with a position, %", 1),
    _Row("turnover_a_year", "turnover a year, times equity", 2),
    _Row("income", "dividends received, currency", 2),
    _Row("fees", "fees, currency", 2),
    _Row("slippage", "slippage, currency", 2),
    _Row("a_year_pct", "both a year, % of equity", 3),
    _Row("share_of_gross_pct", "both, % of the gross profit", 1),
)


def performance_table(console: Console, account: AccountReport, symbols: str) -> Table:
    """Every figure of the account in a row."""
    own = account.performance
    title = f"The account and its baselines: {symbols}, Sharpe and Sortino above {own.risk_free_pct:g} % a year"
    table = new_table(console, title, "figure", *COLUMNS, *AT_RANDOM)
    for row in RETURN_ROWS:
        held, scaled = (asdict(one.returns)[row.figure] for one in (account.hold, account.scaled_hold))
        kept = (cell(held, row.digits), ends(account.hold.intervals.get(row.figure), row.digits))
        _add(table, account, row, asdict(own.returns), (*kept, cell(scaled, row.digits)))
    for row in DRAWDOWN_ROWS:
        falls = (_of_drawdown(one.drawdown, row) for one in (account.hold, account.scaled_hold))
        held_text, scaled_text = falls
        table.add_row(row.title, _of_drawdown(own.drawdown, row), "", held_text, "", scaled_text, "", "", "")
    for row in TRADE_ROWS:
        _add(table, account, row, asdict(own.trades), ("", "", ""))
    for row in USE_ROWS:
        _add(table, account, row, asdict(own) | asdict(own.trades) | asdict(own.costs), ("", "", ""))
    return table


def chance_line(account: AccountReport) -> str:
    """What the last columns of the table are."""
    if account.random is None:
        return "Nothing was entered, so there is nothing to compare with random entries."
    found = account.random
    return (
        f"Random entries: {found.replays} accounts that enter {found.entries:.0f} times in sessions drawn at random, "
        "all else as it was; p is the share of them that did at least as well."
    )


def odds_lines(odds: SharpeOdds | None) -> Iterator[str]:
    """What the Sharpe ratio is worth."""
    if odds is None:
        return
    alone = f"True Sharpe ratio above 0: probability {odds.probability:.3f}"
    if odds.trials == 1:
        yield f"{alone}; no other account is in the ledger."
    else:
        yield (
            f"{alone} alone, {odds.deflated:.3f} as the best of {odds.trials} accounts in the ledger, the best of "
            f"which would show {odds.benchmark:.2f} without skill."
        )
    yield _record_line(odds)


def part_tables(console: Console, account: AccountReport) -> Iterator[Table]:
    """The trades by what closed them and by year; no table without trades."""
    if account.performance.trades.trades:
        yield _part_table(console, "Trades by what closed them", "exit", account.by_exit_reason)
        yield _part_table(console, "By year of the exit", "year", account.by_year)


def _add(table: Table, account: AccountReport, row: _Row, values: dict[str, Any], kept: Sequence[str]) -> None:
    value = values[row.figure]
    interval = ends(account.intervals.get(row.figure), row.digits)
    table.add_row(row.title, cell(value, row.digits), interval, *kept, *_at_random(account, row, value))


def _at_random(account: AccountReport, row: _Row, value: float | None) -> tuple[str, str, str]:
    found = account.random
    chance = None if found is None or row.figure not in found.figures else found.beside(row.figure, value)
    if chance is None:
        return "", "", ""
    p_value = f"{chance.p_value:.3f}" if row.figure in TESTED else ""
    return cell(chance.median, row.digits), ends((chance.low, chance.high), row.digits), p_value


def _of_drawdown(drawdown: Drawdown | None, row: _Row) -> str:
    return NONE if drawdown is None else cell(asdict(drawdown)[row.figure], row.digits)


def _record_line(odds: SharpeOdds) -> str:
    if odds.track_record_sessions is None:
        return "No record of such sessions is long enough to be 95 % sure of it: the ratio is not above 0."
    alone = f"To be 95 % sure of it takes {_record(odds.track_record_sessions)} like these"
    if odds.trials == 1:
        return f"{alone}."
    if odds.deflated_track_record_sessions is None:
        return f"{alone} alone; with the others counted no record is long enough."
    return f"{alone} alone, {_record(odds.deflated_track_record_sessions)} with the others counted."


def _record(sessions: float) -> str:
    return f"{counted(sessions, 'session', ',.0f')} ({sessions / SESSIONS_A_YEAR:,.1f} years)"


def _part_table(console: Console, title: str, kind: str, parts: Sequence[Part]) -> Table:
    growth = any(part.return_pct is not None for part in parts)
    columns = ("trades", "hit rate %", "a trade, bp", "profit", "holding", *(("account %",) if growth else ()))
    table = new_table(console, title, kind, *columns)
    for part in parts:
        one = part.trades
        figures = (cell(one.hit_rate_pct, 1), cell(one.mean_trade_bp, 1), cell(one.profit, 2))
        own = (cell(part.return_pct, 2),) if growth else ()
        table.add_row(part.name, str(one.trades), *figures, cell(one.holding_sessions, 1), *own)
    return table
