"""An account that sees only a feed's restated history ends with the shares and the cash of one who was there.

The clerk keeps the share at the prices of the day. The feed shows what Yahoo would: before a split all older prices
divided by it, and closes adjusted for each dividend.
"""

import math
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble.trading.account import Settlement, open_account, settle
from ensemble.trading.actions import HeldActions, held_actions
from ensemble.trading.session_bars import OHLC, Bar, SessionBars
from ensemble.trading.signals import Action
from tests.ensemble.trading.test_ledger import LIMITS, RULES, START, Day, Ledger, signal_of


@dataclass(frozen=True)
class Share:
    """As it was traded: bars at the prices of their day (None: no bar), and what came before each open."""

    bars: list[Bar | None]
    actions: list[HeldActions]
    orders: list[Action | None]

    def day(self, session: int) -> Day:
        bar, order = self.bars[session], self.orders[session]
        return Day({} if bar is None else {"A": bar}, {} if order is None else {"A": order}, self.paid(session))

    def paid(self, session: int) -> dict[str, HeldActions]:
        return {"A": self.actions[session]}

    def seen(self, session: int, decimals: int) -> SessionBars:
        """The feed's history on the evening of `session`."""
        rows, factor, kept = {}, 1.0, 1.0
        for place in range(session, -1, -1):
            bar, action = self.bars[place], self.actions[place]
            if bar is not None:
                prices = [getattr(bar, name) / factor for name in OHLC]
                rows[pd.Timestamp(day_of(place))] = [*prices, prices[-1] * kept]
            before = self.close_before(place)
            if action.dividend and before is not None:
                kept *= 1 - action.dividend / (before / action.factor)
            factor *= action.factor
        frame = pd.DataFrame.from_dict(rows, orient="index", columns=[*OHLC, "adj_close"]).iloc[::-1]
        return SessionBars({"A": frame.round(dict.fromkeys(OHLC, decimals))})

    def close_before(self, session: int) -> float | None:
        return next((bar.close for bar in reversed(self.bars[:session]) if bar is not None), None)


def day_of(session: int) -> date:
    return START + timedelta(days=session)


def share_of(seed: int, *, price: float, count: int = 120, missing: float = 0.0) -> Share:
    """A few splits, dividends and orders, always on a session with a bar: no feed tells of them before."""
    random = np.random.default_rng(seed)
    share, heavy = Share([], [], []), price / 4
    for session in range(count):
        there = session == 0 or random.random() >= missing
        factor = float(random.choice([2, 1.5, 5, 1.1])) if there and price > heavy and random.random() < 0.03 else 1.0
        price /= factor
        dividend = round(price * 0.02, 2) if there and session and factor == 1 and random.random() < 0.04 else 0.0
        price -= dividend
        share.actions.append(HeldActions(factor if session else 1.0, dividend))
        share.bars.append(bar_of(random, price) if there else None)
        share.orders.append(Action(random.choice(["BUY", "SELL"])) if random.random() < 0.1 else None)
        price = share.close_before(session + 1) or price
    return share


def bar_of(random: np.random.Generator, price: float) -> Bar:
    """In paise, as the exchange prints them."""
    opened, close = (price * math.exp(random.normal(0, 0.005)) for _ in range(2))
    return Bar(*(round(one, 2) for one in (opened, max(opened, close) * 1.002, min(opened, close) * 0.998, close)))


def settled(share: Share, decimals: int) -> list[Settlement]:
    account, settlements = open_account(LIMITS), []
    for session in range(len(share.bars)):
        today, seen = day_of(session), share.seen(session, decimals)
        orders = share.day(session).orders.items()
        signals = [signal_of(today, symbol, action, 100, account) for symbol, action in orders]
        actions = held_actions(account, seen, today)
        what = {"session": today, "bars": seen.on(today), "signals": signals, "actions": actions}
        settlements.append(settle(account, **what, rules=RULES))  # type: ignore[arg-type]
        account = settlements[-1].account
    return settlements


def assert_as_if_there(share: Share, settlements: list[Settlement], *, rel: float) -> None:
    ledger = Ledger()
    for session, settlement in enumerate(settlements):
        ledger.post(share.day(session), 100)
        assert settlement.account.held == {symbol: owned for symbol, owned in ledger.shares.items() if owned}
        assert settlement.mark.equity == pytest.approx(ledger.equity, rel=rel)


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.1]))
@settings(max_examples=20)
def test_what_the_feed_restates_is_what_the_holder_got(seed: int, missing: float) -> None:
    share = share_of(seed, price=1_000.0, missing=missing)
    assert_as_if_there(share, settled(share, decimals=9), rel=1e-7)


@pytest.mark.parametrize("seed", range(5))
def test_rounded_adjusted_closes_pay_no_dividend(seed: int) -> None:
    """At 12 rupees the last digit is 8 basis points of the price."""
    closes = 12 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.004, 60)))
    days = pd.DatetimeIndex([day_of(session) for session in range(60)])
    frame = pd.DataFrame(dict.fromkeys(OHLC, closes) | {"adj_close": 0.9137 * closes}, days).round(2)
    account, income = open_account(LIMITS), list[float]()
    for session in range(60):
        seen, today = SessionBars({"A": frame.iloc[: session + 1]}), day_of(session)
        orders = {
            5: [signal_of(today, "A", Action.BUY, 100, account)],
            55: [signal_of(today, "A", Action.SELL, 100, account)],
        }
        bars = {"A": Bar(12, 12.1, 11.9, 12)}
        what = {"session": today, "bars": bars, "signals": orders.get(session, [])}
        settlement = settle(account, **what, rules=RULES, actions=held_actions(account, seen, today))  # type: ignore[arg-type]
        account, income = settlement.account, income + [trade.income for trade in settlement.trades]
    assert income == [0.0]


@pytest.mark.parametrize("price", [2_500.0, 400.0, 60.0])
def test_a_feed_that_rounds_to_paise_hides_no_split(price: float) -> None:
    for seed in range(8):
        share = share_of(seed, price=price)
        assert_as_if_there(share, settled(share, decimals=2), rel=1e-3)
