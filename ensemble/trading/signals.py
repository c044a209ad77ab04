"""From probability to decision: the gate, what holds, the places left, the size; always one row a symbol."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

from pydantic import Field

from ensemble.labels import Label
from ensemble.trading.gate import Answer, Beliefs, GateOptions, Judgement, judge
from ensemble.trading.limits import RiskLimits
from ensemble.trading.sizing import position_budget, whole_lots


class SignalOptions(GateOptions):
    """The [signals] table: which forecast is traded, what it takes to act on it, and what holds nevertheless."""

    label: Label = Field(default="open_to_close", description="the label whose forecast is traded")
    max_disagreement: float | None = Field(
        None, gt=0, le=8, description="enter nothing when the members' log-odds deviate more from each other"
    )
    max_bar_age_sessions: int = Field(
        default=1,
        ge=1,
        le=20,
        description="hold when the newest bar is older; 1 is the session before the one decided, sessions",
    )
    max_model_age_months: int = Field(
        2,
        ge=1,
        le=120,
        description="hold when the model is older; 1 is that of the session's month or quarter, months; quarterly: "
        "default 6",
    )


class Action(StrEnum):
    """What to do at the open of the session. Of cash shares SELL means flat; of futures, with none held, short."""

    BUY = "BUY"
    SELL = "SELL"
    HOLD = "HOLD"


class Reason(StrEnum):
    """Why a signal is what it is."""

    CONFIDENT = "CONFIDENT"
    AMONG_SUREST = "AMONG_SUREST"
    WORTH_ITS_COST = "WORTH_ITS_COST"
    BELOW_CONFIDENCE = "BELOW_CONFIDENCE"
    BELOW_COVERAGE = "BELOW_COVERAGE"
    BELOW_EXPECTED_VALUE = "BELOW_EXPECTED_VALUE"
    NO_EVIDENCE = "NO_EVIDENCE"
    DISAGREEMENT = "DISAGREEMENT"
    ALREADY_HELD = "ALREADY_HELD"
    ALREADY_ORDERED = "ALREADY_ORDERED"
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
    STALE_MODEL = "STALE_MODEL"
    LATE = "LATE"


_REASONS = {
    "confidence": {Answer.ACT: Reason.CONFIDENT, Answer.BELOW: Reason.BELOW_CONFIDENCE},
    "coverage": {Answer.ACT: Reason.AMONG_SUREST, Answer.BELOW: Reason.BELOW_COVERAGE},
    "expected_value": {Answer.ACT: Reason.WORTH_ITS_COST, Answer.BELOW: Reason.BELOW_EXPECTED_VALUE},
}
"""Gate -> what its answer is called; no gate can answer without evidence."""


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
    expected_value_bp: float | None = None
    """Least value of acting on the forecast after costs, basis points of what is traded; None where nobody asks."""
    value_limit: float | None = None
    """Most that the position may be worth at its entry, in currency, whatever the open; None where none is opened."""

    @property
    def opens(self) -> bool:
        """It is to open a position, and closes none; any other is to close one, and opens none."""
        return self.value_limit is not None


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
    beliefs: Beliefs = field(default_factory=Beliefs)
    """What stands behind the forecasts."""
    ordered: Mapping[str, int] = field(default_factory=dict)
    """Shares by symbol that orders of sessions not settled yet buy, negative where they sell."""

    def position(self, symbol: str) -> int:
        """Shares held once all is carried out that was ordered before; negative where they are owed."""
        return self.held.get(symbol, 0) + self.ordered.get(symbol, 0)


def decide_signals(
    probabilities: Mapping[str, float | None],
    situation: Situation,
    *,
    options: SignalOptions,
    limits: RiskLimits,
) -> tuple[Signal, ...]:
    """One signal for each key of `probabilities`, sorted by symbol; None is a symbol without a forecast.

    The surest get the free places and the cash first. A position that closes in the same session frees neither,
    because it is not closed yet. What was ordered in a session that is not settled yet counts as carried out: it is not
    ordered again. What the situation forbids is not opened; closing is never forbidden. Raises
    ValueError for a probability outside [0, 1].
    """
    wishes = [
        _wish(symbol, probability, situation, options=options, limits=limits)
        for symbol, probability in probabilities.items()
    ]
    opening = [wish for wish in wishes if wish.action is not Action.HOLD and not situation.position(wish.symbol)]
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
    held = situation.position(symbol)
    confidence = _confidence(symbol, probability)
    verdict = _judge(symbol, probability, situation, options=options, limits=limits)
    return Signal(
        session=situation.session,
        symbol=symbol,
        label=options.label,
        action=verdict.action,
        probability=probability,
        confidence=confidence,
        quantity=abs(held) if verdict.action is not Action.HOLD else 0,
        reference_price=quote.close if quote else None,
        stop_loss_pct=limits.stop_loss_pct,
        take_profit_pct=limits.take_profit_pct,
        reasons=verdict.reasons,
        late=situation.late,
        actionable=False,
        expected_value_bp=verdict.expected_value_bp,
    )


def _confidence(symbol: str, probability: float | None) -> float | None:
    if probability is None:
        return None
    if not 0 <= probability <= 1:  # NaN fails this too
        raise ValueError(f"probability of {symbol} was {probability}; it must lie in [0, 1], or be None where unknown")
    return max(probability, 1 - probability)


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What the forecast of one symbol comes to."""

    action: Action
    reasons: tuple[Reason, ...]
    expected_value_bp: float | None = None


def _judge(
    symbol: str, probability: float | None, situation: Situation, *, options: SignalOptions, limits: RiskLimits
) -> _Verdict:
    """What the forecast asks for, and why.

    Nothing is done on data or a model too old to be believed, not even a sale. Beyond that a hold keeps from entering
    and never from leaving: what members disagree about may still be left.
    """
    stale = _stale(situation.quotes.get(symbol), situation.beliefs, options)
    if probability is None:
        return _Verdict(Action.HOLD, (Reason.NO_FORECAST, *stale))
    if stale:
        return _Verdict(Action.HOLD, stale)
    up, held = probability > 0.5, situation.position(symbol)
    along = held if up else -held  # negative: held against the forecast
    flat_only = not up and limits.product == "cash"
    judgement = judge(probability, situation.beliefs, options, closes=along < 0 or flat_only)
    action, reason = Action.HOLD, _reason(judgement, options)
    if judgement.answer is Answer.ACT:
        if along > 0:
            reason = Reason.ALREADY_HELD if situation.held.get(symbol) else Reason.ALREADY_ORDERED
        elif along == 0 and flat_only:
            reason = Reason.NOTHING_TO_SELL
        elif along == 0 and _disagree(symbol, situation.beliefs, options):
            reason = Reason.DISAGREEMENT
        else:
            action = Action.BUY if up else Action.SELL
    return _Verdict(action, (reason,), judgement.expected_value_bp)


def _stale(quote: Quote | None, beliefs: Beliefs, options: SignalOptions) -> tuple[Reason, ...]:
    """What is too old to be acted on, either way."""
    fresh = quote is not None and 1 <= quote.age_sessions <= options.max_bar_age_sessions
    young = beliefs.model_age_months is None or beliefs.model_age_months <= options.max_model_age_months
    return (*(() if fresh else (Reason.STALE_DATA,)), *(() if young else (Reason.STALE_MODEL,)))


def _reason(judgement: Judgement, options: SignalOptions) -> Reason:
    return _REASONS[options.gate].get(judgement.answer, Reason.NO_EVIDENCE)


def _disagree(symbol: str, beliefs: Beliefs, options: SignalOptions) -> bool:
    """The members are further apart than is allowed; where their spread is not known, they are not."""
    return options.max_disagreement is not None and beliefs.spreads.get(symbol, 0.0) > options.max_disagreement


def _allot(opening: Iterable[Signal], situation: Situation, limits: RiskLimits) -> Iterator[Signal]:
    """What opens a position, sized while places, exposure and cash last; the others turned into HOLD.

    Each is allotted what it may be worth at most, so that together they keep to all limits wherever they open.
    """
    places = limits.max_positions - len(situation.held.keys() | situation.ordered.keys())
    cash = situation.cash
    room = situation.equity * limits.max_exposure_pct / 100 - situation.exposure
    for wish in sorted(opening, key=precedence):
        price = wish.reference_price or math.inf
        quote = situation.quotes.get(wish.symbol)
        budget = position_budget(situation.equity, limits, quote.volatility if quote else None)
        affordable = min(budget or 0.0, cash)
        value_limit = min(affordable, room)
        quantity = whole_lots(value_limit, price, limits.lot_size)
        if wish.symbol in situation.forbidden:
            yield _held_back(wish, *situation.forbidden[wish.symbol])
        elif places <= 0:
            yield _held_back(wish, Reason.MAX_POSITIONS)
        elif budget is None:
            yield _held_back(wish, Reason.NO_VOLATILITY)
        elif quantity == 0:
            short_of_room = whole_lots(affordable, price, limits.lot_size) > 0
            yield _held_back(wish, Reason.MAX_EXPOSURE if short_of_room else Reason.NO_CAPITAL)
        else:
            yield replace(wish, quantity=quantity, value_limit=value_limit)
            places, cash, room = places - 1, cash - value_limit, room - value_limit


def _held_back(wish: Signal, *reasons: Reason) -> Signal:
    return replace(wish, action=Action.HOLD, reasons=reasons)


def _finished(signal: Signal) -> Signal:
    if signal.late:
        return replace(signal, reasons=(*signal.reasons, Reason.LATE))
    return replace(signal, actionable=signal.action is not Action.HOLD)
