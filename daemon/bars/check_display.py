"""What `bars check` found: a table a symbol, how it compares with a list, and every finding that is worth a line."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd
from rich.console import Console

from daemon.bars.check import Checked
from daemon.console.tables import new_table, open_console, print_json
from ensemble.validation.findings import Finding
from ensemble.validation.scorecard import Score
from storage.bar_store import Withdrawn
from storage.quarantine_store import Refused

SHOWN = 20
"""Findings of one kind and symbol that get a line each; --json has all."""


def show_checked(checked: Checked, *, as_json: bool) -> None:
    """To standard output."""
    if as_json:
        print_json(_content(checked))
        return
    console = open_console()
    table = new_table(console, "", "symbol", "found", "rows", "kept", left=2)
    for symbol, findings in checked.findings.items():
        table.add_row(symbol, _counts(findings), str(checked.bars[symbol]), str(checked.kept[symbol]))
    console.print(table)
    _show_scores(console, checked.scores)
    for symbol, findings in (checked.unlisted or checked.findings).items():
        _show_findings(console, symbol, findings)


def show_bars(
    bars: pd.DataFrame, withdrawn: Sequence[Withdrawn], *, as_json: bool, nothing: str = "no bar was known by then"
) -> None:
    """A bars frame, to standard output, and the bars of its span that are believed no more, which have no values."""
    rows: dict[str, dict[str, Any]] = {
        f"{session:%Y-%m-%d}": dict(zip(bars.columns, row, strict=True))
        for session, row in zip(bars.index, bars.to_numpy().tolist(), strict=True)
    }
    for one in withdrawn:
        rows[str(one.session)] = dict.fromkeys(bars.columns) | {
            "withdrawn": f"{one.reason}, {one.since:%Y-%m-%d %H:%M}Z"
        }
    told = [{"session": session} | rows[session] for session in sorted(rows)]
    if as_json:
        print_json(told)
        return
    console = open_console()
    table = new_table(console, "", "session", *bars.columns, *(["withdrawn"] if withdrawn else []))
    for row in told:
        table.add_row(*(_cell(value) for value in row.values()))
    console.print(table if rows else nothing)


def show_refused(found: Sequence[Refused], *, as_json: bool) -> None:
    """The quarantine, to standard output."""
    if as_json:
        print_json([asdict(one) for one in found])
        return
    console = open_console()
    prices = ("open", "high", "low", "close")
    table = new_table(
        console, "", "symbol", "session", "reason", "verdict", "id", *prices, "volume", "close before", "after", left=4
    )
    for one in found:
        words = (one.symbol, str(one.session or "none"), one.reason, one.verdict or "")
        numbers = [one.values[name] for name in (*prices, "volume")]
        table.add_row(*words, str(one.id), *map(_cell, (*numbers, one.close_before, one.close_after)))
    console.print(table)
    console.print(f"{len(found)} refused bars; `bars quarantine accept ID` or `reject ID` decides one.")


def _cell(value: float | str | None) -> str:
    return "" if value is None else value if isinstance(value, str) else f"{value:.6g}"


def _content(checked: Checked) -> dict[str, object]:
    return {
        "bars": checked.bars,
        "kept": checked.kept,
        "findings": [asdict(finding) for findings in checked.findings.values() for finding in findings],
        "scores": [asdict(one) | {"recall": one.recall, "precision": one.precision} for one in checked.scores],
        "unlisted": [asdict(finding) for findings in checked.unlisted.values() for finding in findings],
    }


def _counts(findings: Iterable[Finding]) -> str:
    counts = Counter(f"{finding.kind} {finding.verdict}" for finding in findings)
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())) or "nothing"


def _show_scores(console: Console, scores: Sequence[Score]) -> None:
    if not scores:
        return
    columns = ("symbol", "kind", "listed", "found", "recall", "unlisted", "precision")
    table = new_table(console, "beside the list", *columns, left=2)
    for one in scores:
        numbers = (one.listed, one.listed - len(one.missed), f"{one.recall:.0%}", one.unlisted, f"{one.precision:.0%}")
        table.add_row(one.symbol, one.kind, *map(str, numbers))
    console.print(table)
    for one in scores:
        for day in one.missed:
            console.print(f"missed: {one.symbol} {day} {one.kind}", soft_wrap=True)


def _show_findings(console: Console, symbol: str, findings: Sequence[Finding]) -> None:
    for kind in sorted({finding.kind for finding in findings}):
        alike = [finding for finding in findings if finding.kind == kind]
        for finding in alike[:SHOWN]:
            console.print(f"{symbol} {finding.session} {kind} {finding.verdict}: {finding.detail}", soft_wrap=True)
        if len(alike) > SHOWN:
            console.print(f"{symbol} {kind}: {len(alike) - SHOWN} more; --json lists them")
