"""What trading came to, label by label and gate by gate: `python -m tests.bench.trading CONFIG FROM TO NOW`.

Prints Markdown for docs/reliance-trading.md. Each line is one `backtest` of the program as installed, with some
settings in its environment; what is trained already is not trained again. The ledger of trials grows with
every line, as it does for whoever tries them: give it a copy of the state folder, on which only one backtest was made.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Found = Mapping[str, Any]
"""What `backtest --json` printed."""

SIGNALS, RISK = (f"RELIANCE_DAEMON__{table}__" for table in ("SIGNALS", "RISK"))


@dataclass(frozen=True, slots=True)
class Way:
    """One way to trade the same forecasts."""

    title: str
    settings: Mapping[str, str]


def ways() -> Iterator[Way]:
    """The default first; each label, by confidence and by expected value; then what the published rules leave open."""
    labels = ("open_to_close", "gap", "close_to_close", "barrier")
    for label in labels:
        name = label.replace("_", " ")
        yield Way(f"{name}, at least .70 sure", {f"{SIGNALS}LABEL": label})
    for label in labels:
        name = label.replace("_", " ")
        yield Way(f"{name}, expected value", {f"{SIGNALS}LABEL": label, f"{SIGNALS}GATE": "expected_value"})
    for least in ("0.55", "0.60"):
        yield Way(f"open to close, at least {least[1:]} sure", {f"{SIGNALS}MIN_CONFIDENCE": least})
    for target in ("3", "5"):
        yield Way(f"gap, .70, target {target} %", {f"{SIGNALS}LABEL": "gap", f"{RISK}TAKE_PROFIT_PCT": target})


RETURNS = {
    "total_return_pct": "total return, %",
    "cagr_pct": "growth a year, %",
    "volatility_pct": "volatility a year, %",
    "sharpe": "Sharpe ratio",
    "sortino": "Sortino ratio",
    "calmar": "Calmar ratio",
    "max_drawdown_pct": "deepest drawdown, %",
}
TRADES = {
    "trades": "trades closed",
    "hit_rate_pct": "hit rate, %",
    "mean_trade_bp": "a trade after costs, bp",
    "expectancy": "a trade after costs, INR",
    "payoff_ratio": "payoff ratio",
    "profit_factor": "profit factor",
    "holding_sessions": "holding, sessions",
}


def run(way: Way, words: list[str]) -> Found:
    """Makes the backtest. Raises CalledProcessError when it fails."""
    command = [sys.executable, "-c", "from daemon.cli import main; main()", *words, "--json"]
    told = subprocess.run(command, env=os.environ | dict(way.settings), stdout=subprocess.PIPE, check=True)
    found: Found = json.loads(told.stdout)
    return found


def figure(value: float | None) -> str:
    """Two digits, with commas in thousands; a dash where it is not defined."""
    return "-" if value is None else f"{value:,.0f}" if isinstance(value, int) else f"{value:,.2f}"


def interval(found: Found, key: str) -> str:
    """The 95 % interval of a figure in a group that may have none."""
    low_high = (found.get("intervals") or {}).get(key)
    return "" if low_high is None else f", {figure(low_high[0])} to {figure(low_high[1])}"


def summary_row(way: Way, found: Found) -> str:
    """One line of the table of all ways."""
    performance, odds = found["performance"], found.get("sharpe_odds") or {}
    trades, returns = performance["trades"], performance["returns"]
    if not trades["trades"]:
        return f"| {way.title} | 0 | | | {figure(returns['total_return_pct'])} | | | |"
    chance = found["random_entries"]["figures"]["total_return_pct"]["p_value"]
    cells = [
        way.title,
        str(trades["trades"]),
        *(figure(trades[key]) + interval(found, key) for key in ("hit_rate_pct", "mean_trade_bp")),
        figure(returns["total_return_pct"]) + interval(found, "total_return_pct"),
        f"{chance:.3f}",
        figure(returns["sharpe"]) + interval(found, "sharpe"),
        figure(odds.get("deflated")),
    ]
    return f"| {' | '.join(cells)} |"


def figures_of(way: Way, found: Found) -> Iterator[str]:
    """Everything about one account, beside its baselines."""
    performance, drawn = found["performance"], found["random_entries"]["figures"]
    yield f"### {way.title.capitalize()}\n"
    yield "| figure | account, 95 % interval | held at its exposure | random entries, middle 95 % | p |"
    yield "|---|---|---|---|---|"
    for key, name in (RETURNS | TRADES).items():
        group = performance["returns" if key in RETURNS else "trades"]
        held = figure(found["scaled_hold"]["returns"][key]) if key in RETURNS else ""
        yield f"| {name} | {figure(group[key])}{interval(found, key)} | {held} | {_drawn(drawn.get(key))} |"
    costs = performance["costs"]
    yield f"| longest below a peak, sessions | {figure(performance['drawdown']['longest_sessions'])} | | | |"
    yield f"| mean exposure, % of equity | {figure(performance['exposure_pct'])} | | | |"
    yield f"| turnover a year, times equity | {figure(performance['turnover_a_year'])} | | | |"
    yield f"| fees and slippage, INR | {figure(costs['fees'])} and {figure(costs['slippage'])} | | | |"
    yield f"| both, % of the gross profit | {figure(costs['share_of_gross_pct'])} | | | |"
    yield ""
    exits = [f"{part['name']} {part['trades']['trades']}" for part in found["by_exit_reason"]]
    years = [f"{part['name']} {part['return_pct']:+.2f}" for part in found["by_year"]]
    yield f"Closed by: {', '.join(exits)}. Account by year, %: {', '.join(years)}.\n"


def _drawn(figure_of_chance: Found | None) -> str:
    if figure_of_chance is None:
        return " | "
    median, low, high = (figure(figure_of_chance[key]) for key in ("median", "low", "high"))
    return f"{median}, {low} to {high} | {figure_of_chance['p_value']:.3f}"


def main(config: str, first: str, last: str, now: str) -> None:
    """All ways in their order: a table of all, then one each for those that traded."""
    words = ["--config", config, "backtest", "--from", first, "--to", last, "--now", now]
    found = [(way, run(way, words)) for way in ways()]
    lines = [
        "| label, gate | trades | hit rate, % | a trade after costs, bp | account, % | random entries as good, p "
        "| Sharpe | above 0, deflated |",
        "|---|--:|---|---|---|---|---|---|",
        *(summary_row(way, one) for way, one in found),
        "",
    ]
    for way, one in found:
        if one["performance"]["trades"]["trades"]:
            lines.extend(figures_of(way, one))
    sys.stdout.write("\n".join(lines))


if __name__ == "__main__":
    main(*sys.argv[1:5])
