"""The positions of one symbol, closed and open, with where they would have ended."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from daemon.report.cells import money, signed
from daemon.report.material import Material
from daemon.report.record import Record
from daemon.report.words import EXITS
from ensemble.fills import ExitReason
from ensemble.trading.events import AccountEvent


@dataclass(frozen=True, slots=True)
class Held:
    """One position."""

    first: date
    last: date
    """The session it was closed in, or that it was valued in last."""
    entry_price: float
    stop_price: float | None
    """None where the entry is no longer known, as of an account that an earlier version kept."""
    target_price: float | None
    entry_text: str
    exit_price: float | None = None
    """None while it is open, like the reason."""
    exit_reason: ExitReason | None = None
    exit_text: str = ""


def held_positions(material: Material, record: Record, symbol: str) -> Iterator[Held]:
    """The closed ones within the span, then what the live account holds; prices in the scale of the bars as they are.

    The sentences tell what was really paid, before splits that came later.
    """
    for trade in record.trades:
        if trade.symbol == symbol:
            entry, reason = record.entries.get((symbol, trade.entry_session)), EXITS[trade.exit_reason]
            scale = _scale(material.bars[symbol], entry)
            yield Held(
                trade.entry_session,
                trade.exit_session,
                scale * trade.entry_price,
                scale * entry.stop_price if entry and entry.stop_price else None,
                scale * entry.target_price if entry and entry.target_price else None,
                f"entry, {trade.direction.lower()}: {trade.quantity:,} at {money(trade.entry_price)}",
                scale * trade.exit_price,
                trade.exit_reason,
                f"exit, {reason}: at {money(trade.exit_price)}, profit {signed(trade.profit)}",
            )
    for row in material.positions if record.origin == "live" else ():
        if row["symbol"] == symbol:
            yield Held(
                date.fromisoformat(row["entry_session"]),
                date.fromisoformat(row["last_session"]),
                row["entry_price"],
                row["stop_price"],
                row["target_price"],
                f"entry, {row['direction'].lower()}: {row['quantity']:,} at {money(row['entry_price'])}, still held",
            )


def _scale(bars: pd.DataFrame, entry: AccountEvent | None) -> float:
    """What the prices of a trade are multiplied by: 1, unless a split has come since and made the bars others."""
    session = None if entry is None else pd.Timestamp(entry.session)
    if entry is None or entry.bar_open is None or session not in bars.index:
        return 1.0
    opened = float(bars["open"].to_numpy(np.float64)[bars.index.get_loc(session)])
    return opened / entry.bar_open if np.isfinite(opened) else 1.0
