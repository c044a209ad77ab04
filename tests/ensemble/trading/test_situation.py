"""What a decision knows of orders whose session is not settled yet."""

from dataclasses import replace
from datetime import date

import pytest

from ensemble.trading.account import open_account
from ensemble.trading.holdings import Account, Hold, Position
from ensemble.trading.limits import RiskLimits
from ensemble.trading.signals import Action, Quote, Reason, Signal, SignalOptions, Situation, decide_signals
from ensemble.trading.situation import situation_of

BEFORE, SESSION = date(2021, 9, 30), date(2021, 10, 1)
LIMITS = RiskLimits(position_pct=40, max_positions=2, initial_capital=100_000)
QUOTES = {symbol: Quote(100.0, 1) for symbol in "ABC"}
HOLDS_A = replace(
    open_account(LIMITS),
    positions=(Position("A", 37, date(2021, 9, 1), 100.0, 98.0, 104.0, 0.0, 1, 100.0, date(2021, 9, 29), 100.0),),
)


def decide(
    up: dict[str, float], account: Account, unsettled: tuple[Signal, ...] = (), *, session: date = SESSION
) -> dict[str, Signal]:
    situation = situation_of(account, session, QUOTES, late=False, unsettled=unsettled)
    return {one.symbol: one for one in decided(up, situation)}


def decided(up: dict[str, float], situation: Situation) -> tuple[Signal, ...]:
    return decide_signals(up, situation, options=SignalOptions(min_confidence=0.7), limits=LIMITS)


BOUGHT = tuple(decide({"B": 0.9}, open_account(LIMITS), session=BEFORE).values())
SOLD = tuple(decide({"A": 0.1}, HOLDS_A, session=BEFORE).values())


def test_what_is_ordered_is_not_bought_again_and_may_be_sold() -> None:
    account = open_account(LIMITS)
    again, sold = (decide({"B": up}, account, BOUGHT)["B"] for up in (0.9, 0.1))
    assert (again.action, again.reasons) == (Action.HOLD, (Reason.ALREADY_ORDERED,))
    assert (sold.action, sold.quantity, sold.opens) == (Action.SELL, BOUGHT[0].quantity, False)


def test_what_is_told_to_be_sold_is_not_sold_again() -> None:
    assert decide({"A": 0.1}, HOLDS_A)["A"].action is Action.SELL
    again = decide({"A": 0.1}, HOLDS_A, SOLD)["A"]
    assert (again.action, again.reasons) == (Action.HOLD, (Reason.NOTHING_TO_SELL,))


def test_what_is_bought_takes_its_place_and_its_money() -> None:
    account = open_account(LIMITS)
    after = situation_of(account, SESSION, QUOTES, late=False, unsettled=BOUGHT)
    assert (after.cash, after.exposure) == (60_000.0, 40_000.0)
    signals = decide({"A": 0.8, "C": 0.9}, account, BOUGHT)
    assert [signals[one].reasons for one in "AC"] == [(Reason.MAX_POSITIONS,), (Reason.CONFIDENT,)]


def test_what_is_sold_frees_neither_before_it_is_settled() -> None:
    before, after = (situation_of(HOLDS_A, SESSION, QUOTES, late=False, unsettled=orders) for orders in ((), SOLD))
    assert (after.cash, after.exposure) == (before.cash, before.exposure)
    signals = decide({"B": 0.8, "C": 0.9}, HOLDS_A, SOLD)
    assert [signals[one].reasons for one in "BC"] == [(Reason.MAX_POSITIONS,), (Reason.CONFIDENT,)]


@pytest.mark.parametrize(("since", "reasons"), [(BEFORE, (Reason.KILL_SWITCH,)), (SESSION, (Reason.ALREADY_ORDERED,))])
def test_an_order_that_a_halt_took_back_is_none(since: date, reasons: tuple[Reason, ...]) -> None:
    """A halt that came after the order's open leaves it."""
    halted = replace(open_account(LIMITS), holds=(Hold(Reason.KILL_SWITCH, since),))
    assert decide({"B": 0.9}, halted, BOUGHT)["B"].reasons == reasons


def test_an_order_that_is_not_to_be_traded_is_none() -> None:
    late = tuple(replace(one, late=True, actionable=False) for one in BOUGHT)
    assert decide({"B": 0.9}, open_account(LIMITS), late)["B"].action is Action.BUY
