"""Signals, positions and accounts with the usual figures, changed where a test cares."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from ensemble.trading.account import Account, Position, Settlement, settle
from ensemble.trading.actions import HeldActions
from ensemble.trading.costs import Costs, Schedule
from ensemble.trading.limits import RiskLimits
from ensemble.trading.rules import TradingRules
from ensemble.trading.session_bars import Bar
from ensemble.trading.signals import Action, Reason, Signal

SESSION = date(2021, 10, 1)
BEFORE = SESSION - timedelta(days=1)
LIMITS = RiskLimits(max_positions=3, max_holding_sessions=3, initial_capital=100_000)
FREE = TradingRules(LIMITS, Costs(schedule=Schedule.FLAT, commission_bp=0, slippage_bp=0))
COSTLY = TradingRules(LIMITS, Costs(schedule=Schedule.FLAT, commission_bp=100, slippage_bp=50))
CALM = Bar(100, 101, 99, 100.5)


def limited(rules: TradingRules = FREE, **limits: Any) -> TradingRules:
    """The rules with other limits."""
    return replace(rules, limits=RiskLimits(**rules.limits.model_dump() | limits))


def signal(symbol: str = "A", action: Action = Action.BUY, quantity: int = 100, **changes: Any) -> Signal:
    usual = Signal(
        session=SESSION,
        symbol=symbol,
        label="open_to_close",
        action=action,
        probability=0.8,
        confidence=0.8,
        quantity=quantity,
        reference_price=100.0,
        stop_loss_pct=2.0,
        take_profit_pct=4.0,
        reasons=(Reason.CONFIDENT,),
        late=False,
        actionable=True,
        value_limit=1e9,
    )
    return replace(usual, **changes)


def leaving(symbol: str = "A", action: Action = Action.SELL, **changes: Any) -> Signal:
    """An order to close what is held."""
    return signal(symbol, action, value_limit=None, **changes)


def position(symbol: str = "A", **changes: Any) -> Position:
    """100 shares bought at 100 the session before."""
    usual = Position(
        symbol=symbol,
        quantity=100,
        entry_session=BEFORE,
        entry_price=100.0,
        stop_price=98.0,
        target_price=104.0,
        entry_cost=0.0,
        sessions_held=1,
        last_close=100.0,
        last_session=BEFORE,
        entry_open=100.0,
    )
    return replace(usual, **changes)


def holding(*positions: Position, cash: float = 50_000.0) -> Account:
    account = Account(cash=cash, positions=positions, peak_equity=0.0)
    return replace(account, peak_equity=account.equity)


def settled(
    account: Account,
    bars: dict[str, Bar],
    *signals: Signal,
    rules: TradingRules = FREE,
    actions: dict[str, HeldActions] | None = None,
    session: date = SESSION,
) -> Settlement:
    return settle(account, session=session, bars=bars, signals=signals, rules=rules, actions=actions)
