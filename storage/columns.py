"""The columns that tables are made of: what a session, a price or a share of one is called and may hold."""

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Column, Double, PrimaryKeyConstraint, Text
from sqlalchemy.types import TypeEngine

from storage.column_types import Instant, Session

# Bounded above as well: a CHECK (close > 0) alone lets infinity, and in SQLite any text, pass.
PRICE = "{0} > 0 AND {0} < 1e9"
BAR_PRICE = "({0} > 0 OR replace(symbol, '=F', '') <> symbol) AND {0} > -1e9 AND {0} < 1e9"
"""A future's price may fall below zero, that of anything else may not."""
MONEY = "{0} > -1e15 AND {0} < 1e15"
COUNT = "{0} >= 0 AND {0} < 1e15"
_SHARE = "{0} >= 0 AND {0} <= 1"
PERCENT = "{0} >= 0 AND {0} <= 100"
FLAG = "{0} IN (0, 1)"
_ORIGIN = "{0} IN ('live', 'backtest')"
_SESSION = "length({0}) = 10"
DIRECTION = "{0} IN ('LONG', 'SHORT')"


def column(
    name: str, kind: type[TypeEngine[Any]], comment: str, *, check: str | None = None, null: bool = False
) -> Column[Any]:
    """A column that is never empty unless `null`, with its description and the rule that its values obey."""
    checks = [] if check is None else [CheckConstraint(check.format(name), name=name)]
    return Column(name, kind, *checks, nullable=null, comment=comment)


def origin() -> Column[Any]:
    """Whether a row is live or replayed."""
    return column(
        "origin", Text, "live: decided by the daemon as time went by; backtest: replayed later", check=_ORIGIN
    )


def session(comment: str, *, name: str = "session", null: bool = False) -> Column[Any]:
    """A trading day."""
    return column(name, Session, f"{comment}, ISO date of the exchange", check=_SESSION, null=null)


def symbol() -> Column[Any]:
    """The symbol a row is about."""
    return column("symbol", Text, "The provider's symbol, e.g. RELIANCE.NS")


def label() -> Column[Any]:
    """The question that a forecast answers."""
    return column(
        "label", Text, "What is forecast: gap, close_to_close, open_to_close, or barrier (target before stop)"
    )


def instant(name: str, comment: str, *, null: bool = False) -> Column[Any]:
    """A moment."""
    return column(name, Instant, f"{comment}, UTC", null=null)


def price(name: str, comment: str, *, null: bool = False) -> Column[Any]:
    """A price of one share, above 0."""
    return column(name, Double, f"{comment}, price of one share", check=PRICE, null=null)


def bar_price(name: str, comment: str, *, null: bool = False) -> Column[Any]:
    """A price of a bar, above 0 unless it is a future's."""
    return column(name, Double, f"{comment}, price of one share", check=BAR_PRICE, null=null)


def money(name: str, comment: str) -> Column[Any]:
    """An amount of money, of either sign."""
    return column(name, Double, f"{comment}, in the account's currency", check=MONEY)


def shares(comment: str) -> Column[Any]:
    """A number of shares."""
    return column("quantity", BigInteger, comment, check=COUNT)


def direction() -> Column[Any]:
    """Which way a position earns."""
    return column("direction", Text, "LONG: earns when the price rises; SHORT: when it falls", check=DIRECTION)


def probability(name: str, comment: str, *, null: bool = False) -> Column[Any]:
    """A probability or a share of 1."""
    return column(name, Double, f"{comment}, 0 to 1", check=_SHARE, null=null)


def key(*columns: str) -> PrimaryKeyConstraint:
    """The primary key."""
    return PrimaryKeyConstraint(*columns)
