"""From probability to decision: the confidence filter, the places left, the size; always one row a symbol."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

from pydantic import Field

from ensemble.labels import Label
from ensemble.options import Options
from ensemble.trading.limits import RiskLimits
from ensemble.trading.sizing import position_budget, whole_lots


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
    """What to do at the open of the session. Of cash shares SELL means flat; of futures, with none held, short."""

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
    MAX_EXPOSURE = "MAX_EXPOSURE"
    NO_CAPITAL = "NO_CAPITAL"
    NO_VOLATILITY = "NO_VOLATILITY"
    DRAWDOWN_HALT = "DRAWDOWN_HALT"
    DAILY_LOSS = "DAILY_LOSS"
    COOL_DOWN = "COOL_DOWN"
    KILL_SWITCH = "KILL_SWITCH"
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
    """Shares to trade: whole lots to open a position, all that is held to close one, 0 for HOLD."""
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
    volatility: float | None = None
    """Standard deviation a session of the last 20 closes known, as a ratio; None where it is not asked for or known."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known when a session is decided: the account as last settled, and the prices."""

    session: date
    late: bool
    cash: float
    """What new positions may be worth without borrowing."""
    equity: float
    held: Mapping[str, int]
    """Shares of every open position, by symbol; negative where they are owed."""
    quotes: Mapping[str, Quote]
    exposure: float = 0.0
    """What the positions are worth, shorts counted as if they were long."""
    forbidden: Mapping[str, tuple[Reason, ...]] = field(default_factory=dict)
    """Symbols in which no position may be opened, and why."""


def decide_signals(
    probabilities: Mapping[str, float | None],
    situation: Situation,
    *,
    options: SignalOptions,
    limits: RiskLimits,
) -> tuple[Signal, ...]:
    """One signal for each key of `probabilities`, sorted by symbol; None is a symbol without a forecast.

    The surest get the free places and the cash first. A position that closes in the same session frees neither,
    because it is not closed yet. What the situation forbids is not opened; closing is never forbidden. Raises
    ValueError for a probability outside [0, 1].
    """
    wishes = [
        _wish(symbol, probability, situation, options=options, limits=limits)
        for symbol, probability in probabilities.items()
    ]
    opening = [wish for wish in wishes if wish.action is not Action.HOLD and not situation.held.get(wish.symbol)]
    signals = [wish for wish in wishes if wish not in opening]
    signals += _allot(opening, situation, limits)
    return tuple(_finished(signal) for signal in sorted(signals, key=lambda signal: signal.symbol))


def precedence(signal: Signal) -> tuple[float, str]:
    """Sort key of signals that compete for places and cash: the surest first, ties by symbol."""
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
    if reasons == (Reason.NOTHING_TO_SELL,) and limits.product == "futures":
        action, reasons = _short(probability, quote, held=held, options=options)
    return Signal(
        session=situation.session,
        symbol=symbol,
        label=options.label,
        action=action,
        probability=probability,
        confidence=_confidence(symbol, probability),
        quantity=abs(held) if action is not Action.HOLD else 0,
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


def _short(
    probability: float | None, quote: Quote | None, *, held: int, options: SignalOptions
) -> tuple[Action, tuple[Reason, ...]]:
    """Of futures: sold as if they were held, unless they have been."""
    if held < 0:
        return Action.HOLD, (Reason.ALREADY_HELD,)
    return _judge(probability, quote, held=True, options=options)


def _allot(opening: Iterable[Signal], situation: Situation, limits: RiskLimits) -> Iterator[Signal]:
    """What opens a position, sized while places, exposure and cash last; the others turned into HOLD."""
    places = limits.max_positions - len(situation.held)
    cash = situation.cash
    room = situation.equity * limits.max_exposure_pct / 100 - situation.exposure
    for wish in sorted(opening, key=precedence):
        price = wish.reference_price or math.inf
        quote = situation.quotes.get(wish.symbol)
        budget = position_budget(situation.equity, limits, quote.volatility if quote else None)
        affordable = whole_lots(min(budget or 0.0, cash), price, limits.lot_size)
        quantity = min(affordable, whole_lots(room, price, limits.lot_size))
        if wish.symbol in situation.forbidden:
            yield _held_back(wish, *situation.forbidden[wish.symbol])
        elif places <= 0:
            yield _held_back(wish, Reason.MAX_POSITIONS)
        elif budget is None:
            yield _held_back(wish, Reason.NO_VOLATILITY)
        elif quantity == 0:
            yield _held_back(wish, Reason.MAX_EXPOSURE if affordable else Reason.NO_CAPITAL)
        else:
            yield replace(wish, quantity=quantity)
            places, cash, room = places - 1, cash - quantity * price, room - quantity * price


def _held_back(wish: Signal, *reasons: Reason) -> Signal:
    return replace(wish, action=Action.HOLD, reasons=reasons)


def _finished(signal: Signal) -> Signal:
    if signal.late:
        return replace(signal, reasons=(*signal.reasons, Reason.LATE))
    return replace(signal, actionable=signal.action is not Action.HOLD)
