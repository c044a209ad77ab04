"""A backtest as JSON and as files, whose columns docs/backtest.md explains."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from daemon.backtests.report import BacktestReport
from daemon.console.tables import plain
from daemon.errors import DaemonError
from ensemble.evaluation.account_report import Baseline
from ensemble.evaluation.random_entries import RandomEntries
from ensemble.evaluation.trade_figures import prices_seen, slippage, trade_returns_bp
from ensemble.trading.costs import Costs
from ensemble.trading.signals import Signal

EQUITY_CSV, TRADES_CSV, SIGNALS_CSV, PERFORMANCE_JSON = "equity.csv", "trades.csv", "signals.csv", "performance.json"
EQUITY_COLUMNS = ("session", "equity", "cash", "exposure", "positions", "drawdown_pct", "buy_and_hold", "scaled_hold")
TRADE_COLUMNS = (
    *("symbol", "direction", "quantity", "entry_session", "entry_price", "exit_session", "exit_price", "exit_reason"),
    *("cost", "income", "profit", "entry_price_seen", "exit_price_seen", "slippage", "return_bp", "holding_sessions"),
)
SIGNAL_COLUMNS = (
    *("session", "symbol", "label", "action", "probability", "confidence", "quantity", "reference_price"),
    *("stop_loss_pct", "take_profit_pct", "expected_value_bp", "reasons", "late", "actionable"),
)


def performance_of(report: BacktestReport) -> dict[str, Any]:
    """What performance.json holds: everything but the rows of the CSV files."""
    first, last = report.span
    account = report.account
    return {
        "first_session": first,
        "last_session": last,
        "scores": [asdict(score) for score in report.scores],
        "account": asdict(report.replayed[-1].settlement.mark),
        "performance": asdict(account.performance),
        "intervals": account.intervals,
        "sharpe_odds": account.odds and asdict(account.odds),
        "buy_and_hold": _baseline(account.hold),
        "scaled_hold": _baseline(account.scaled_hold),
        "random_entries": account.random and _random(account.random, report),
        "by_exit_reason": [asdict(part) for part in account.by_exit_reason],
        "by_year": [asdict(part) for part in account.by_year],
        "edges": [asdict(edge) for edge in report.edges],
        "held_back": report.held_back,
    }


def everything(report: BacktestReport, costs: Costs) -> dict[str, Any]:
    """What `--json` prints: performance.json and the rows of the CSV files."""
    rows = {"equity": equity_rows(report), "trades": trade_rows(report, costs), "signals": signal_rows(report.signals)}
    return performance_of(report) | {name: list(found) for name, found in rows.items()}


def write_files(report: BacktestReport, costs: Costs, folder: Path) -> tuple[Path, ...]:
    """Writes the four files and returns their paths. Raises DaemonError when the folder cannot be written."""
    paths = tuple(folder / name for name in (EQUITY_CSV, TRADES_CSV, SIGNALS_CSV, PERFORMANCE_JSON))
    signals = (row | {"reasons": " ".join(row["reasons"])} for row in signal_rows(report.signals))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_table(paths[0], EQUITY_COLUMNS, equity_rows(report))
        _write_table(paths[1], TRADE_COLUMNS, trade_rows(report, costs))
        _write_table(paths[2], SIGNAL_COLUMNS, signals)
        content = json.dumps(plain(performance_of(report)), indent=1, default=str, allow_nan=False)
        paths[3].write_text(content + "\n", encoding="utf-8")
    except OSError as error:
        raise DaemonError(f"--out {folder} cannot be written: {error.strerror}; choose another folder.") from error
    return paths


def equity_rows(report: BacktestReport) -> Iterator[dict[str, Any]]:
    """A row a session: EQUITY_COLUMNS."""
    held, scaled = report.account.hold.equity.tolist(), report.account.scaled_hold.equity.tolist()
    for mark, own, part in zip(report.path.marks, held, scaled, strict=True):
        row = asdict(mark) | {"buy_and_hold": own, "scaled_hold": part}
        yield {name: row[name] for name in EQUITY_COLUMNS}


def trade_rows(report: BacktestReport, costs: Costs) -> Iterator[dict[str, Any]]:
    """A row a closed position: TRADE_COLUMNS."""
    trades, place = report.path.trades, {session: number for number, session in enumerate(report.path.sessions)}
    for trade, return_bp in zip(trades, trade_returns_bp(trades).tolist(), strict=True):
        entry, left = prices_seen(trade, costs)
        row = asdict(trade) | {
            "entry_price_seen": entry,
            "exit_price_seen": left,
            "slippage": slippage(trade, costs),
            "return_bp": return_bp,
            "holding_sessions": place[trade.exit_session] - place[trade.entry_session] + 1,
        }
        yield {name: row[name] for name in TRADE_COLUMNS}


def signal_rows(signals: Sequence[Signal]) -> Iterator[dict[str, Any]]:
    """A row a symbol and session: SIGNAL_COLUMNS."""
    for signal in signals:
        yield {name: getattr(signal, name) for name in SIGNAL_COLUMNS}


def _baseline(baseline: Baseline) -> dict[str, Any]:
    drawdown = baseline.drawdown and asdict(baseline.drawdown)
    return {"returns": asdict(baseline.returns), "drawdown": drawdown, "intervals": baseline.intervals}


def _random(random: RandomEntries, report: BacktestReport) -> dict[str, Any]:
    """Figure by figure; null where it is not defined."""
    own = report.account.performance
    values = asdict(own.returns) | asdict(own.trades)
    chances = {name: random.beside(name, values[name]) for name in random.figures}
    return {
        "replays": random.replays,
        "entries": random.entries,
        "figures": {name: chance and asdict(chance) for name, chance in chances.items()},
    }


def _write_table(path: Path, columns: Sequence[str], rows: Iterator[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, columns, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
