"""The book's positions are those of the engine, followed by hand."""

import numpy as np
import pytest

from ensemble.evaluation.replay import Trader, replay
from ensemble.evaluation.trade_book import TradeBook, trade_book
from ensemble.trading.costs import Costs
from ensemble.trading.limits import RiskLimits
from ensemble.trading.rules import TradingRules
from ensemble.trading.signals import SignalOptions
from tests.ensemble.evaluation.conftest import MadeMarket, MakeMarket

RULES = TradingRules(RiskLimits(max_holding_sessions=6), Costs())
OPTIONS = SignalOptions()


def book(market: MadeMarket, sells: tuple[int, ...] = ()) -> TradeBook:
    sessions = market.traded.sessions
    return trade_book("A", Trader(market.traded, OPTIONS, RULES), {sessions[place] for place in sells})


def test_every_position_is_the_one_of_a_replay_that_enters_once(make_market: MakeMarket) -> None:
    market = make_market("A", sessions=80, seed=1)
    sessions, sells = market.traded.sessions, (10, 11, 30, 50, 51, 52)
    found = book(market, sells)
    kinds = set[str]()
    for place, session in enumerate(sessions):
        said = {sessions[one]: {"A": 0.0} for one in sells if one > place} | {session: {"A": 1.0}}
        settled = replay(said, market.traded, options=OPTIONS, rules=RULES)
        trades = [trade for one in settled for trade in one.trades]
        entered = bool(trades) or bool(settled[-1].account.positions)
        left = sessions.index(trades[0].exit_session) if trades else len(sessions)
        assert found.leaves[place] == (left if entered else -1)
        equity = np.array([one.mark.equity for one in settled[place : left + 1]])
        width = min(len(equity), found.gains.shape[1])
        gains = equity / RULES.limits.initial_capital - 1
        assert found.gains[place][:width] == pytest.approx(gains[:width], abs=1e-12)
        if trades:
            paid = trades[0].quantity * trades[0].entry_price
            assert found.trade_bp[place] == pytest.approx(1e4 * trades[0].profit / paid)
            kinds.add(str(trades[0].exit_reason))
        else:
            assert np.isnan(found.trade_bp[place])
            kinds.add("held" if entered else "none")
    assert kinds == {"STOP", "TARGET", "TIME", "SIGNAL", "held", "none"}


def test_after_the_exit_nothing_is_gained_any_more(make_market: MakeMarket) -> None:
    found = book(make_market("A", sessions=60))
    for place in np.flatnonzero((found.leaves >= 0) & (found.leaves < 60)):
        held = found.leaves[place] - place + 1
        assert found.steps[place][held:] == pytest.approx(0)
        assert found.steps[place].sum() == pytest.approx(found.gains[place][-1])


def test_in_a_locked_or_missing_bar_nobody_enters_nor_the_session_after_a_missing_one(make_market: MakeMarket) -> None:
    market = make_market("A", sessions=200)
    bars = market.bars["A"].reindex(market.index)
    barred = (bars["high"] == bars["low"]) | bars["open"].isna()
    stale = bars["open"].shift(1).isna()
    stale.iloc[0] = False
    assert barred.any()
    assert ((book(market).leaves < 0) == (barred | stale).to_numpy()).all()
