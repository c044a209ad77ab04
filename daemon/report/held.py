"""The positions of one symbol, closed and open, with where they would have ended."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from daemon.report.cells import money, signed
from daemon.report.material import Material
from daemon.report.record import Record
from daemon.report.words import EXITS
from ensemble.fills import ExitReason


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
    """The closed ones within the span, then what the live account holds."""
    for trade in record.trades:
        if trade.symbol == symbol:
            entry, reason = record.entries.get((symbol, trade.entry_session)), EXITS[trade.exit_reason]
            yield Held(
                trade.entry_session,
                trade.exit_session,
                trade.entry_price,
                entry.stop_price if entry else None,
                entry.target_price if entry else None,
                f"entry, {trade.direction.lower()}: {trade.quantity:,} at {money(trade.entry_price)}",
                trade.exit_price,
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
