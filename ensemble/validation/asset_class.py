"""What a series is a price of, told from the shape of its symbol, and what follows for its bars."""

import re
from dataclasses import dataclass
from enum import StrEnum


class AssetClass(StrEnum):
    """What a series is a price of."""

    EQUITY = "equity"
    """Shares and funds."""
    INDEX = "index"
    VOLATILITY = "volatility"
    CURRENCY = "currency"
    FUTURE = "future"


@dataclass(frozen=True, slots=True)
class ClassRules:
    """What the bars of one class may be."""

    positive: bool = True
    """Its price cannot fall to zero; that of a future can, where nobody has room for what it delivers."""
    traded: bool = False
    """Its volume is counted: a day with none was none, or a thin one."""
    wildness: float = 1.0
    """How much farther it may go than rules say, which are made for prices: volatility doubles in a night, and comes
    back from anywhere."""
    least_move: float = 0.05
    """In logarithms: a close that is nearer than this to its neighbours is not doubted."""
    least_factor: float = 0.18
    """In logarithms, a fifth: a run of bars that is off by less may be true weeks. Bonuses and splits move more."""
    least_level: float = 0.18
    """In logarithms: a new level nearer than this is believed at once. What has no splits may go farther."""
    most_wick: float = 0.9
    """In logarithms: how far high and low may lie from open and close on the wildest of days. One fund fell by half
    within minutes, and rose again, on 2010-05-06."""


RULES = {
    AssetClass.EQUITY: ClassRules(traded=True),
    AssetClass.INDEX: ClassRules(),
    AssetClass.VOLATILITY: ClassRules(wildness=1.5, least_move=1.1, least_factor=1.1, least_level=1.1),
    AssetClass.CURRENCY: ClassRules(least_move=0.02, least_factor=0.05, least_level=0.05, most_wick=0.1),
    AssetClass.FUTURE: ClassRules(positive=False, least_move=0.1, least_level=0.7),
}

# As exchanges name them: ^VIX ^INDIAVIX ^VXN ^OVX ^GVZ.
_VOLATILITY = re.compile(r"\^[A-Z]*(VIX|VX|GVZ)[A-Z0-9]*")


def asset_class(symbol: str) -> AssetClass:
    """By Yahoo's way of writing symbols: CL=F, INR=X, ^INDIAVIX, ^NSEI; a share where nothing else is said."""
    if symbol.endswith("=F"):
        return AssetClass.FUTURE
    if symbol.endswith("=X"):
        return AssetClass.CURRENCY
    if symbol.startswith("^"):
        return AssetClass.VOLATILITY if _VOLATILITY.fullmatch(symbol) else AssetClass.INDEX
    return AssetClass.EQUITY


def class_rules(symbol: str) -> ClassRules:
    """What the bars of `symbol` may be."""
    return RULES[asset_class(symbol)]


_EXCHANGES = {
    "NS": "XNSE",
    "BO": "XBOM",
    "T": "XTKS",
    "HK": "XHKG",
    "SS": "XSHG",
    "SI": "XSES",
    "DE": "XFRA",
    "L": "XLON",
    AssetClass.FUTURE: "CMES",
    AssetClass.CURRENCY: "FOREX",
}


def likely_exchange(symbol: str) -> str | None:
    """The exchange that the symbol's ending names, New York where a share has none; None for an index."""
    kind = asset_class(symbol)
    if kind in _EXCHANGES:
        return _EXCHANGES[kind]
    if kind != AssetClass.EQUITY:
        return None
    share, dot, ending = symbol.rpartition(".")
    return _EXCHANGES.get(ending) if dot and share else "XNYS"
