"""What was decided about the newest session, and what is held."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from daemon.report.cells import money, percent, percent_interval, signed
from daemon.report.material import Material, is_missed
from daemon.report.parts import Card, Fact, Line, Part, Section, Table
from daemon.report.record import of_symbols
from daemon.report.words import ACTIONS, QUESTIONS, reason_text
from ensemble.counted import counted
from ensemble.evaluation.promise import promise
from ensemble.trading.signals import Action

CARDS = 5
"""As many symbols get a card; the others a line of a table."""


def today(material: Material) -> Section:
    """The newest decision of each symbol, with every forecast of that session."""
    parts: list[Part] = [_card(material, row) for row in material.signals[:CARDS]]
    parts += [_others(material.signals[CARDS:])] if len(material.signals) > CARDS else []
    parts += [_said(material)] if len(material.forecasts) else []
    if not parts:
        parts = [Line("Nothing was decided yet; `reliance-daemon run-once` does it before the next open.", "quiet")]
    return Section(
        key="today",
        title="What it says",
        meaning="The newest forecast of each stock and what follows from it; a probability of 60 % should come true "
        "six times out of ten.",
        short="Signals",
        parts=tuple(parts),
        whose="live",
    )


def held(material: Material) -> Section:
    """The open positions, with what would close them."""
    rows = tuple(_position(material, row) for row in material.positions)
    columns = ("symbol", "side", "entered", "shares", "entry", "stop", "last close", "target", "profit", "%", "left")
    nothing = Line("Nothing is held; a BUY that is filled at the next open will stand here.", "quiet")
    return Section(
        key="positions",
        title="What it holds",
        meaning="The open positions of the paper account; each is closed at its stop, at its target, or after the "
        "sessions left.",
        short="Positions",
        parts=(Table("Open positions, valued at their last closes", columns, rows, texts=3) if rows else nothing,),
        whose="live",
    )


def _card(material: Material, row: Mapping[str, Any]) -> Card:
    asked = QUESTIONS.get(row["label"], row["label"])
    return Card(
        title=f"{row['symbol']}, session {row['session']}",
        word=_word(row),
        facts=(Fact("Question", asked), *_facts(material, row)),
        sentences=(_advice(row), *map(reason_text, json.loads(row["reasons"]))),
    )


def _word(row: Mapping[str, Any]) -> str:
    return "LATE" if is_missed(row) else str(row["action"])


def _advice(row: Mapping[str, Any]) -> str:
    """What to do, which is nothing where it came too late, whatever the forecast says."""
    if is_missed(row):
        return f"Do nothing; in time it would have been {row['action']}."
    return ACTIONS.get(row["action"], row["action"])


def _facts(material: Material, row: Mapping[str, Any]) -> Iterator[Fact]:
    if row["probability"] is not None:
        yield Fact("Chance that yes", percent(row["probability"]), _beside(material, row))
        yield Fact("Sure of its side", percent(row["confidence"]), f"asked for: {_asked(material)}")
        yield from _record(material, row)
    if row["quantity"]:
        price = row["reference_price"]
        yield Fact("Shares", f"{row['quantity']:,}", f"last close {money(price)}")
        if row["value_limit"] is not None:  # it opens a position
            side = 1 if row["action"] == Action.BUY else -1
            stop = price * (1 - side * row["stop_loss_pct"] / 100)
            target = price * (1 + side * row["take_profit_pct"] / 100)
            yield Fact("Stop, target", f"{money(stop)}, {money(target)}", "from the last close; set from the real fill")


def _asked(material: Material) -> str:
    signals = material.settings.signals
    if signals.gate == "confidence":
        return f"{percent(signals.min_confidence)} at least"
    if signals.gate == "coverage":
        return f"the surest {signals.coverage_pct:g} %"
    return f"more than {signals.min_expected_value_bp:g} bp after costs"


def _beside(material: Material, row: Mapping[str, Any]) -> str:
    """The interval, and what somebody would say who knows no more than how often it came true."""
    parts = []
    if row["probability_low"] is not None:
        parts.append(f"past outcomes put it at {percent(row['probability_low'])} to {percent(row['probability_high'])}")
    rate = material.base_rates.get((row["symbol"], row["label"]))
    if rate is None:
        parts.append("no outcome is known yet to compare it with")
    else:
        parts.append(f"it came true in {percent(rate.share)} of {counted(rate.outcomes, 'session', ',')}")
    return "; ".join(parts)


def _record(material: Material, row: Mapping[str, Any]) -> Iterator[Fact]:
    """How such forecasts did, live if any outcome is known, else in the backtest; never both together."""
    for record in material.records:
        scored = of_symbols(record, row["label"], [row["symbol"]])
        kept = None if scored is None else promise(scored)
        if kept is not None:
            beside = (
                f"{percent_interval(kept.right)}; promised {percent(kept.promised)}; always naming the commoner side "
                f"{percent(kept.commoner_side)}"
            )
            name = f"Right so far, {record.origin}"
            yield Fact(name, f"{percent(kept.right.value)} of {kept.forecasts:,} forecasts", beside)
            return
    yield Fact("Right so far", "not known yet", "each settled session adds an outcome")


def _others(signals: Sequence[Mapping[str, Any]]) -> Table:
    """Those that have no card."""
    rows = tuple(
        (
            row["symbol"],
            _word(row),
            " ".join(map(reason_text, json.loads(row["reasons"]))),
            percent(np.nan if row["probability"] is None else row["probability"]),
        )
        for row in signals
    )
    return Table(
        f"The other {counted(len(rows), 'symbol')}", ("symbol", "action", "why", "chance that yes"), rows, texts=3
    )


def _said(material: Material) -> Table:
    """Every label where there is room, else the traded one."""
    said, traded = material.forecasts, material.settings.signals.label
    rows = (said if len(material.symbols) <= CARDS else said[said["label"] == traded]).to_dict("records")
    return Table(
        caption=f"The forecasts for {rows[0]['session']:%Y-%m-%d}; the interval is where past outcomes put the "
        "probability (Venn-Abers)",
        columns=("symbol", "question", "says", "probability", "interval", "comes true", "outcomes"),
        rows=tuple(_forecast(material, row) for row in rows),
        texts=3,
    )


def _forecast(material: Material, row: Mapping[Any, Any]) -> tuple[str, ...]:
    low, high = row["probability_low"], row["probability_high"]
    rate = material.base_rates.get((row["symbol"], row["label"]))
    return (
        row["symbol"],
        QUESTIONS.get(row["label"], row["label"]),
        "yes" if row["probability"] > 0.5 else "no",
        percent(row["probability"]),
        f"{percent(low)} to {percent(high)}" if low == low else "-",
        percent(rate.share) if rate else "-",
        f"{rate.outcomes:,}" if rate else "0",
    )


def _position(material: Material, row: Mapping[str, Any]) -> tuple[str, ...]:
    left = max(material.settings.risk.max_holding_sessions - row["sessions_held"], 0)
    prices = (money(row[name]) for name in ("entry_price", "stop_price", "last_close", "target_price"))
    return (
        *(row["symbol"], row["direction"].lower(), row["entry_session"], f"{row['quantity']:,}", *prices),
        *(signed(row["open_profit"]), signed(row["return_pct"]), str(left)),
    )
