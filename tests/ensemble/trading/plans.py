"""Made-up bars of one symbol with probabilities, and what the account makes of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

import numpy as np

from ensemble.trading.account import Settlement, open_account, settle
from ensemble.trading.costs import Costs, Schedule
from ensemble.trading.limits import RiskLimits
from ensemble.trading.rules import TradingRules
from ensemble.trading.session_bars import Bar
from ensemble.trading.signals import Quote, SignalOptions, decide_signals
from ensemble.trading.situation import situation_of

START = date(2000, 1, 1)
"""The first session; the others follow day by day."""
NO_TICK = 1e-9


@dataclass(frozen=True, slots=True)
class Plan:
    """What is traded and how; `bars` and `probabilities` by session, None without a bar."""

    bars: Sequence[Bar | None]
    probabilities: Sequence[float]
    stop_loss_pct: float = 2.0
    take_profit_pct: float = 4.0
    max_holding_sessions: int = 5
    position_pct: float = 10.0
    min_confidence: float = 0.7
    cash: float = 100_000.0
    commission_bp: float = 0.0
    entry_slippage_bp: float = 0.0
    product: Literal["cash", "futures"] = "cash"
    cool_down_sessions: int = 0


def walk(seed: int, sessions: int, *, move_pct: float, tick: float = NO_TICK) -> list[Bar | None]:
    """Fat tails and gaps around a price of 100; with a coarse tick, ties; one bar in 30 locked, one in 50 missing."""
    random = np.random.default_rng(seed)
    gap, day = random.standard_t(3, (2, sessions)) * np.array([[0.6], [1.0]]) * move_pct / 100
    reach = np.abs(random.standard_t(3, (2, sessions))) * 0.6 * move_pct / 100
    fate = random.random(sessions)
    bars: list[Bar | None] = []
    close = 100.0
    for session in range(sessions):
        opened = 100 * (close / 100) ** 0.98 * np.exp(np.clip(gap[session], -0.3, 0.3))
        close = opened * np.exp(np.clip(day[session], -0.3, 0.3))
        high, low = max(opened, close) * np.exp(reach[0, session]), min(opened, close) / np.exp(reach[1, session])
        bar = Bar(*(float(max(round(price / tick), 1) * tick) for price in (opened, high, low, close)))
        missing, locked = session and fate[session] < 0.02, session and fate[session] > 0.97
        bars.append(None if missing else Bar(*(bar.close,) * 4) if locked else bar)
    return bars


def plan_of(seed: int, bars: Sequence[Bar | None], **rules: Any) -> Plan:
    """The bars with probabilities of all kinds, more often sure of a rise than not."""
    random = np.random.default_rng(seed + 1)
    return Plan(bars, random.choice([0.1, 0.5, 0.6, 0.9], len(bars), p=[0.1, 0.1, 0.2, 0.6]).tolist(), **rules)


def rules_of(plan: Plan) -> TradingRules:
    """What the plan asks for, and no guard that it does not."""
    limits = RiskLimits(
        product=plan.product,
        stop_loss_pct=plan.stop_loss_pct,
        take_profit_pct=plan.take_profit_pct,
        max_holding_sessions=plan.max_holding_sessions,
        position_pct=plan.position_pct,
        cool_down_sessions=plan.cool_down_sessions,
        max_drawdown_pct=100,
        max_daily_loss_pct=100,
        initial_capital=plan.cash,
    )
    costs = Costs(schedule=Schedule.FLAT, commission_bp=plan.commission_bp, slippage_bp=plan.entry_slippage_bp)
    return TradingRules(limits, costs)


def account_history(plan: Plan) -> list[Settlement]:
    """The daemon's way: decide on the last close known, settle, session after session."""
    rules = rules_of(plan)
    options, limits = SignalOptions(min_confidence=plan.min_confidence), rules.limits
    account, quotes = open_account(limits), dict[str, Quote]()
    settlements = []
    for number, (probability, bar) in enumerate(zip(plan.probabilities, plan.bars, strict=True)):
        session = START + timedelta(days=number)
        situation = situation_of(account, session, quotes, late=False)
        signals = decide_signals({"A": probability}, situation, options=options, limits=limits)
        bars = {} if bar is None else {"A": bar}
        settlements.append(settle(account, session=session, bars=bars, signals=signals, rules=rules))
        account = settlements[-1].account
        quotes = quotes if bar is None else {"A": Quote(bar.close, 1)}
    return settlements
