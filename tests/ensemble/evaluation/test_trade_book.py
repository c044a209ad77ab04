"""The book's positions are those of the engine, followed by hand."""

from collections import Counter

import numpy as np
import pytest

from ensemble.evaluation.replay import Trader, replay
from ensemble.evaluation.trade_book import TradeBook, trade_book
from ensemble.trading.account import Direction
from ensemble.trading.costs import Costs
from ensemble.trading.limits import RiskLimits
from ensemble.trading.rules import TradingRules
from ensemble.trading.signals import SignalOptions
from tests.ensemble.evaluation.conftest import MadeTraded, MakeTraded

CASH = TradingRules(RiskLimits(max_holding_sessions=6, cool_down_sessions=2), Costs())
FUTURES = TradingRules(CASH.limits.model_copy(update={"product": "futures"}), Costs())
OPTIONS = SignalOptions()
WAYS = [(Direction.LONG, CASH), (Direction.LONG, FUTURES), (Direction.SHORT, FUTURES)]


def book(market: MadeTraded, rules: TradingRules = CASH, direction: Direction = Direction.LONG) -> TradeBook:
    turns = {market.traded.sessions[place] for place in TURNS if place < len(market.traded.sessions)}
    return trade_book(("A", direction), Trader(market.traded, OPTIONS, rules), turns)


TURNS = (10, 11, 30, 50, 51, 52)


@pytest.mark.parametrize(("direction", "rules"), WAYS)
def test_every_position_is_the_one_of_a_replay_that_enters_once(
    direction: Direction, rules: TradingRules, make_traded: MakeTraded
) -> None:
    market = make_traded("A", sessions=80, seed=1)
    sessions, sure = market.traded.sessions, 1.0 if direction is Direction.LONG else 0.0
    found, kinds = book(market, rules, direction), Counter[str]()
    for place, session in enumerate(sessions):
        said = {session: {"A": sure}}
        settled = replay(said, market.traded, options=OPTIONS, rules=rules)
        held_until = next((at for at, one in enumerate(settled) if at >= place and not one.account.positions), None)
        closed = [
            sessions[one] for one in TURNS if place < one <= (len(sessions) if held_until is None else held_until)
        ]
        said |= {closed[0]: {"A": 1 - sure}} if closed else {}  # only the first: a later one would open a short
        settled = replay(said, market.traded, options=OPTIONS, rules=rules)
        trades = [trade for one in settled for trade in one.trades]
        entered = bool(trades) or bool(settled[-1].account.positions)
        left = sessions.index(trades[0].exit_session) if trades else len(sessions)
        assert found.leaves[place] == (left if entered else -1)
        equity = np.array([one.mark.equity for one in settled[place : left + 1]])
        width = min(len(equity), found.gains.shape[1])
        gains = equity / rules.limits.initial_capital - 1
        assert found.gains[place][:width] == pytest.approx(gains[:width], abs=1e-12)
        if trades:
            paid = trades[0].quantity * trades[0].entry_price
            assert found.trade_bp[place] == pytest.approx(1e4 * trades[0].profit / paid)
            stopped = trades[0].exit_reason == "STOP"
            assert found.again[place] == min(left + (3 if stopped else 1), len(sessions))
            kinds[str(trades[0].exit_reason)] += 1
        else:
            assert np.isnan(found.trade_bp[place])
            kinds["held" if entered else "none"] += 1
    assert set(kinds) == {"STOP", "TARGET", "TIME", "SIGNAL", "held", "none"}


def test_after_the_exit_nothing_is_gained_any_more(make_traded: MakeTraded) -> None:
    found = book(make_traded("A", sessions=60))
    for place in np.flatnonzero((found.leaves >= 0) & (found.leaves < 60)):
        held = found.leaves[place] - place + 1
        assert found.steps[place][held:] == pytest.approx(0)
        assert found.steps[place].sum() == pytest.approx(found.gains[place][-1])


def test_in_a_locked_or_missing_bar_nobody_enters_nor_the_session_after_a_missing_one(make_traded: MakeTraded) -> None:
    market = make_traded("A", sessions=200)
    bars = market.bars["A"].reindex(market.index)
    barred = (bars["high"] == bars["low"]) | bars["open"].isna()
    stale = bars["open"].shift(1).isna()
    stale.iloc[0] = False
    assert barred.any()
    assert ((book(market).leaves < 0) == (barred | stale).to_numpy()).all()


def test_shares_cannot_be_sold_short(make_traded: MakeTraded) -> None:
    market = make_traded("A", sessions=30)
    assert (book(market, CASH, Direction.SHORT).leaves == -1).all()
