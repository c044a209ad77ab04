"""From probability to decision: the confidence filter, the places left, the size; always one row a symbol."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from pydantic import Field

from ensemble.labels import Label
from ensemble.options import Options
from ensemble.trading.limits import RiskLimits


class SignalOptions(Options):
    """The [signals] table: which forecast is traded, and what it takes to act on it."""

    label: Label = Field(default="open_to_close", description="the label whose forecast is traded")
    min_confidence: float = Field(
        default=0.7, ge=0.5, lt=1, description="act when a direction is at least this probable"
    )
    max_bar_age_sessions: int = Field(
        default=1,
        ge=1,
        le=20,
        description="hold when the newest bar is older; 1 is the session before the one decided, sessions",
    )


class Action(StrEnum):
    """What to do at the open of the session. Cash shares: SELL means flat, never short."""

    BUY = "BUY"
    SELL = "SELL"
    HOLD = "HOLD"


class Reason(StrEnum):
    """Why a signal is what it is."""

    CONFIDENT = "CONFIDENT"
    BELOW_CONFIDENCE = "BELOW_CONFIDENCE"
    ALREADY_HELD = "ALREADY_HELD"
    NOTHING_TO_SELL = "NOTHING_TO_SELL"
    MAX_POSITIONS = "MAX_POSITIONS"
    NO_CAPITAL = "NO_CAPITAL"
    NO_FORECAST = "NO_FORECAST"
    STALE_DATA = "STALE_DATA"
    LATE = "LATE"


@dataclass(frozen=True, slots=True)
class Signal:
    """The decision for one symbol and session, made before the session's open."""

    session: date
    symbol: str
    label: str
    action: Action
    probability: float | None
    confidence: float | None
    """max(p, 1 - p): how sure the forecast is of its own direction, from 0.5 to 1."""
    quantity: int
    """Shares to trade: whole lots for BUY, all that is held for SELL, 0 for HOLD."""
    reference_price: float | None
    """The last close known at the decision."""
    stop_loss_pct: float
    take_profit_pct: float
    reasons: tuple[Reason, ...]
    late: bool
    """Decided after the session opened: kept for the record, never traded."""
    actionable: bool


@dataclass(frozen=True, slots=True)
class Quote:
    """The last close known of a symbol, and how many sessions before the decided one it was; 1 is fresh."""

    close: float
    age_sessions: int


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known when a session is decided: the account as last settled, and the prices."""

    session: date
    late: bool
    cash: float
    equity: float
    held: Mapping[str, int]
    """Shares of every open position, by symbol."""
    quotes: Mapping[str, Quote]


def decide_signals(
    probabilities: Mapping[str, float | None],
    situation: Situation,
    *,
    options: SignalOptions,
    limits: RiskLimits,
) -> tuple[Signal, ...]:
    """One signal for each key of `probabilities`, sorted by symbol; None is a symbol without a forecast.

    The surest buyers get the free places and the cash first. A SELL of the same session frees neither,
    because it is not filled yet. Raises ValueError for a probability outside [0, 1].
    """
    wishes = [
        _wish(symbol, probability, situation, options=options, limits=limits)
        for symbol, probability in probabilities.items()
    ]
    signals = [wish for wish in wishes if wish.action is not Action.BUY]
    signals += _allot((wish for wish in wishes if wish.action is Action.BUY), situation, limits)
    return tuple(_finished(signal) for signal in sorted(signals, key=lambda signal: signal.symbol))


def precedence(signal: Signal) -> tuple[float, str]:
    """Sort key of buyers that compete for places and cash: the surest first, ties by symbol."""
    return -(signal.confidence or 0.0), signal.symbol


def _wish(
    symbol: str,
    probability: float | None,
    situation: Situation,
    *,
    options: SignalOptions,
    limits: RiskLimits,
) -> Signal:
    """What the forecast asks for, before places and cash are counted."""
    quote = situation.quotes.get(symbol)
    held = situation.held.get(symbol, 0)
    action, reasons = _judge(probability, quote, held=held > 0, options=options)
    return Signal(
        session=situation.session,
        symbol=symbol,
        label=options.label,
        action=action,
        probability=probability,
        confidence=_confidence(symbol, probability),
        quantity=held if action is Action.SELL else 0,
        reference_price=quote.close if quote else None,
        stop_loss_pct=limits.stop_loss_pct,
        take_profit_pct=limits.take_profit_pct,
        reasons=reasons,
        late=situation.late,
        actionable=False,
    )


def _confidence(symbol: str, probability: float | None) -> float | None:
    if probability is None:
        return None
    if not 0 <= probability <= 1:  # NaN fails this too
        raise ValueError(f"probability of {symbol} was {probability}; it must lie in [0, 1], or be None where unknown")
    return max(probability, 1 - probability)


def _judge(
    probability: float | None, quote: Quote | None, *, held: bool, options: SignalOptions
) -> tuple[Action, tuple[Reason, ...]]:
    stale = quote is None or not 1 <= quote.age_sessions <= options.max_bar_age_sessions
    if probability is None:
        return Action.HOLD, (Reason.NO_FORECAST, Reason.STALE_DATA) if stale else (Reason.NO_FORECAST,)
    if stale:
        return Action.HOLD, (Reason.STALE_DATA,)
    if probability == 0.5 or max(probability, 1 - probability) < options.min_confidence:
        return Action.HOLD, (Reason.BELOW_CONFIDENCE,)
    if probability > 0.5:
        return (Action.HOLD, (Reason.ALREADY_HELD,)) if held else (Action.BUY, (Reason.CONFIDENT,))
    return (Action.SELL, (Reason.CONFIDENT,)) if held else (Action.HOLD, (Reason.NOTHING_TO_SELL,))


def _allot(buyers: Iterable[Signal], situation: Situation, limits: RiskLimits) -> Iterator[Signal]:
    """The buyers, sized while places and cash last; the others turned into HOLD."""
    places = limits.max_positions - len(situation.held)
    cash = situation.cash
    for buyer in sorted(buyers, key=precedence):
        price = buyer.reference_price or math.inf
        budget = min(situation.equity * limits.position_pct / 100, cash)
        quantity = int(budget // (price * limits.lot_size)) * limits.lot_size
        if places <= 0:
            yield replace(buyer, action=Action.HOLD, reasons=(Reason.MAX_POSITIONS,))
        elif quantity == 0:
            yield replace(buyer, action=Action.HOLD, reasons=(Reason.NO_CAPITAL,))
        else:
            yield replace(buyer, quantity=quantity)
            places, cash = places - 1, cash - quantity * price


def _finished(signal: Signal) -> Signal:
    if signal.late:
        return replace(signal, reasons=(*signal.reasons, Reason.LATE))
    return replace(signal, actionable=signal.action is not Action.HOLD)
