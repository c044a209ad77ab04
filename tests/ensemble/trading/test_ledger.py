"""Splits, dividends, demergers and trades of months, against a ledger kept by hand: shares and cash, nothing else."""

import math
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble.trading.account import Account, Settlement, open_account, settle
from ensemble.trading.actions import HeldActions
from ensemble.trading.costs import Costs, Schedule
from ensemble.trading.limits import RiskLimits
from ensemble.trading.rules import TradingRules
from ensemble.trading.session_bars import Bar
from ensemble.trading.signals import Action, Reason, Signal

START = date(2021, 1, 1)
SYMBOLS = ("A", "B", "C")
CAPITAL, FEE = 1_000_000.0, 0.001
# Stops, targets and guards so far away that nothing but the orders trades.
LIMITS = RiskLimits(
    product="futures",
    stop_loss_pct=50,
    take_profit_pct=99,
    max_holding_sessions=250,
    max_drawdown_pct=100,
    max_daily_loss_pct=100,
    initial_capital=CAPITAL,
)
RULES = TradingRules(LIMITS, Costs(schedule=Schedule.FLAT, commission_bp=FEE * 10_000, slippage_bp=0))


@dataclass(frozen=True)
class Day:
    bars: dict[str, Bar]
    orders: dict[str, Action]
    actions: dict[str, HeldActions]


def days_of(seed: int, count: int) -> list[Day]:
    """Prices that move little, are missing at times, and fall as splits and payments make them fall."""
    random = np.random.default_rng(seed)
    prices, days = dict.fromkeys(SYMBOLS, 100.0), []
    for _ in range(count):
        actions = {symbol: action_of(random, prices[symbol]) for symbol in SYMBOLS if random.random() < 0.03}
        for symbol, action in actions.items():
            prices[symbol] = prices[symbol] / action.factor - action.dividend - action.demerger
        bars = {symbol: bar_of(random, prices[symbol]) for symbol in SYMBOLS if random.random() > 0.05}
        prices |= {symbol: bar.close for symbol, bar in bars.items()}
        orders = {symbol: Action(random.choice(["BUY", "SELL"])) for symbol in SYMBOLS if random.random() < 0.1}
        days.append(Day(bars, orders, actions))
    return days


def action_of(random: np.random.Generator, price: float) -> HeldActions:
    factor = float(random.choice([1.0, 1.0, 2.0, 1.5, 10.0, 0.5, 4 / 3]))
    rest = price / factor
    dividend, demerger = (float(rest * random.choice([0.0, 0.01, 0.04])) for _ in range(2))
    return HeldActions(factor, dividend, demerger=demerger)


def bar_of(random: np.random.Generator, price: float) -> Bar:
    opened, close = (float(price * math.exp(random.normal(0, 0.005))) for _ in range(2))
    return Bar(opened, max(opened, close) * 1.002, min(opened, close) * 0.998, close)


@dataclass
class Ledger:
    """What a clerk would write down: signed shares, cash, and the last price heard of each share."""

    cash: float = CAPITAL
    shares: dict[str, int] = field(default_factory=dict)
    heard: dict[str, float] = field(default_factory=dict)
    promised: list[tuple[int, float]] = field(default_factory=list)
    """Dividends to come, and how many days they have been."""

    def post(self, day: Day, quantity: int) -> None:
        self.collect()
        leaving = {symbol for symbol in day.orders if self.shares.get(symbol)}
        for symbol, action in day.actions.items():
            self.convert(symbol, action)
        gone = {symbol for symbol in leaving if not self.shares.get(symbol)}  # by a consolidation: nothing to close
        for symbol, order in day.orders.items():
            if symbol in day.bars and symbol not in gone:
                self.trade(symbol, day.bars[symbol].open, 1 if order is Action.BUY else -1, quantity)
        self.heard |= {symbol: bar.close for symbol, bar in day.bars.items()}

    def collect(self) -> None:
        """Cash for dividends of thirty days ago; a ledger has a session every day."""
        self.promised = [(days + 1, amount) for days, amount in self.promised]
        self.cash += sum(amount for days, amount in self.promised if days == 30)
        self.promised = [(days, amount) for days, amount in self.promised if days < 30]

    def convert(self, symbol: str, action: HeldActions) -> None:
        owned = self.shares.get(symbol, 0)
        if owned:
            new = abs(owned) * action.factor
            whole, sign = math.floor(new + 1e-9), 1 if owned > 0 else -1
            self.heard[symbol] /= action.factor
            self.cash += sign * (new - whole) * self.heard[symbol]
            self.shares[symbol] = sign * whole
            self.cash += sign * whole * action.demerger
            if sign > 0:
                self.promised.append((0, whole * action.dividend))
            else:
                self.cash -= whole * action.dividend
            self.heard[symbol] -= action.demerger

    def trade(self, symbol: str, price: float, sign: int, quantity: int) -> None:
        """Flat, then an entry; against what is held, out; with it, nothing."""
        owned = self.shares.get(symbol, 0)
        if owned * sign <= 0:
            moved = quantity if owned == 0 else abs(owned)
            self.cash -= sign * moved * price + FEE * moved * price
            self.shares[symbol] = owned + sign * moved

    @property
    def equity(self) -> float:
        promised = sum(amount for _, amount in self.promised)
        return self.cash + promised + sum(owned * self.heard[symbol] for symbol, owned in self.shares.items() if owned)


def settled(days: list[Day], quantity: int) -> list[Settlement]:
    account, settlements = open_account(LIMITS), []
    for number, day in enumerate(days):
        session = START + timedelta(days=number)
        signals = [signal_of(session, symbol, action, quantity, account) for symbol, action in day.orders.items()]
        what = {"session": session, "bars": day.bars, "signals": signals, "actions": day.actions}
        settlements.append(settle(account, **what, rules=RULES))  # type: ignore[arg-type]
        account = settlements[-1].account
    return settlements


def signal_of(session: date, symbol: str, action: Action, quantity: int, account: Account) -> Signal:
    """Closes what `account` holds the other way, opens a position where it holds none."""
    return Signal(
        session=session,
        symbol=symbol,
        label="gap",
        action=action,
        probability=0.9,
        confidence=0.9,
        quantity=quantity,
        reference_price=None,
        stop_loss_pct=LIMITS.stop_loss_pct,
        take_profit_pct=LIMITS.take_profit_pct,
        reasons=(Reason.CONFIDENT,),
        late=False,
        actionable=True,
        value_limit=None if account.held.get(symbol) else 1e12,
    )


@given(st.integers(0, 10_000), st.sampled_from([1, 7, 100]))
@settings(max_examples=25)
def test_cash_shares_and_equity_of_every_session_are_those_of_the_ledger(seed: int, quantity: int) -> None:
    days, ledger = days_of(seed, 120), Ledger()
    for day, settlement in zip(days, settled(days, quantity), strict=True):
        ledger.post(day, quantity)
        owned = {symbol: shares for symbol, shares in ledger.shares.items() if shares}
        assert settlement.account.held == owned
        assert settlement.mark.cash == pytest.approx(ledger.cash, rel=1e-12)
        assert settlement.mark.equity == pytest.approx(ledger.equity, rel=1e-12)


@given(st.integers(0, 10_000))
@settings(max_examples=15)
def test_profits_and_what_is_still_open_add_up_to_the_change_of_the_equity(seed: int) -> None:
    settlements = settled(days_of(seed, 120), 100)
    closed = sum(trade.profit for settlement in settlements for trade in settlement.trades)
    account = settlements[-1].account
    still_open = sum(
        held.direction.sign * held.quantity * (held.last_close - held.entry_price) - held.entry_cost + held.income
        for held in account.positions
    )
    assert account.equity == pytest.approx(CAPITAL + closed + still_open, rel=1e-12)
