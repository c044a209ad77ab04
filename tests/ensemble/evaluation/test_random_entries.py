"""Accounts that enter at random are the engine's own, and chance looks like chance."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from ensemble.arrays import Mask
from ensemble.evaluation.account_path import AccountPath, Line, path_of
from ensemble.evaluation.entry_draws import Habit, draw_entries
from ensemble.evaluation.random_accounts import grow_accounts, places_of
from ensemble.evaluation.random_entries import RandomEntries, random_entries
from ensemble.evaluation.replay import Trader, replay
from ensemble.evaluation.trade_book import TradeBook, trade_book
from ensemble.trading.account import Direction
from ensemble.trading.costs import Costs, Schedule
from ensemble.trading.limits import RiskLimits
from ensemble.trading.rules import TradingRules
from ensemble.trading.signals import SignalOptions
from tests.ensemble.evaluation.conftest import MadeTraded, MakeTraded

# So rich that a whole number of shares is as good as any number, and no guard of the whole account ever speaks.
LIMITS = RiskLimits(
    max_holding_sessions=5,
    position_pct=20,
    max_positions=3,
    initial_capital=1e12,
    max_drawdown_pct=100,
    max_daily_loss_pct=100,
)
# Fees that go with the value: a real broker's do not, beyond their maximum.
RULES = TradingRules(LIMITS, Costs(schedule=Schedule.FLAT))
LINE = ("A", Direction.LONG)
OPTIONS = SignalOptions()
RANDOM = np.random.default_rng


def books(
    market: MadeTraded, rules: TradingRules = RULES, directions: Sequence[Direction] = (Direction.LONG,)
) -> dict[Line, TradeBook]:
    trader = Trader(market.traded, OPTIONS, rules)
    return {
        (symbol, direction): trade_book((symbol, direction), trader)
        for symbol in market.bars
        for direction in directions
    }


def drawn_for(known: dict[Line, TradeBook], habit: Habit, draws: int, seed: int = 1) -> Mask:
    random = RANDOM(seed)
    enterable = [np.where(one.leaves < 0, -1, one.again) for one in known.values()]
    return np.stack([draw_entries(again, habit, draws=draws, random=random) for again in enterable])


def lived(market: MadeTraded, lines: Iterable[Line], entered: Mask, rules: TradingRules = RULES) -> AccountPath:
    """The engine's account that is told to enter the lines where `entered`, (n_lines, n_sessions)."""
    said: dict[date, dict[str, float]] = {}
    for row, (symbol, direction) in enumerate(lines):
        for place in np.flatnonzero(entered[row]):
            sure = 1.0 if direction is Direction.LONG else 0.0
            said.setdefault(market.traded.sessions[place], {})[symbol] = sure
    settled = replay(said, market.traded, options=OPTIONS, rules=rules)
    return path_of(settled, capital=rules.limits.initial_capital)


@pytest.mark.parametrize("symbols", [("A",), ("A", "B", "C"), ("A", "B", "C", "D", "E")])
@pytest.mark.parametrize("product", ["cash", "futures"])
def test_each_account_is_the_one_that_the_engine_makes_of_the_same_entries(
    symbols: tuple[str, ...], product: str, make_traded: MakeTraded
) -> None:
    market = make_traded(*symbols, sessions=150)
    rules = replace(RULES, limits=LIMITS.model_copy(update={"product": product}))
    known = books(market, rules, tuple(Direction) if product == "futures" else (Direction.LONG,))
    grown = grow_accounts(known, drawn_for(known, Habit(15, 90), 12), places=places_of(LIMITS), random=RANDOM(2))
    assert {direction for _, direction in known} == {"LONG", "SHORT"} if product == "futures" else {"LONG"}
    for account in range(12):
        path = lived(market, known, grown.entered[:, :, account], rules)
        assert sum(habit.entries for habit in path.habits().values()) == grown.entered[:, :, account].sum()
        assert grown.equity[:, account] == pytest.approx(path.equity / LIMITS.initial_capital, rel=1e-8)


def test_what_a_forecast_closes_leaves_at_that_open(make_traded: MakeTraded) -> None:
    market = make_traded("A", sessions=150)
    line, turns = ("A", Direction.LONG), market.traded.sessions[::7]
    known = {line: trade_book(line, Trader(market.traded, OPTIONS, RULES), turns)}
    grown = grow_accounts(known, drawn_for(known, Habit(15, 90), 12), places=3, random=RANDOM(2))
    for account in range(12):
        entered = {market.traded.sessions[place] for place in np.flatnonzero(grown.entered[0, :, account])}
        said = {session: {"A": 0.0} for session in turns} | {session: {"A": 1.0} for session in entered}
        settled = replay(said, market.traded, options=OPTIONS, rules=RULES)
        equity = np.array([one.mark.equity for one in settled]) / LIMITS.initial_capital
        assert grown.equity[:, account] == pytest.approx(equity, rel=1e-8)


def test_who_finds_no_place_enters_later_and_no_more_are_held_than_there_are_places(make_traded: MakeTraded) -> None:
    market = make_traded(*"ABCDEF", sessions=200)
    known = books(market)
    wanted = drawn_for(known, Habit(12, 150), 40)
    grown = grow_accounts(known, wanted, places=2, random=RANDOM(4))
    assert (grown.entered != wanted).any()
    assert grown.entered.sum() / wanted.sum() > 0.95  # who waits at the end of the range enters no more
    for account in range(40):
        held = np.zeros(201)
        for row, one in enumerate(known.values()):
            for place in np.flatnonzero(grown.entered[row, :, account]):
                held[place : one.leaves[place] + 1] += 1
        assert held.max() == 2


def test_a_smaller_account_differs_only_by_the_shares_that_it_cannot_split(make_traded: MakeTraded) -> None:
    market = make_traded("A", sessions=250)
    small = replace(RULES, limits=LIMITS.model_copy(update={"initial_capital": 1e6}))
    known = books(market, small)
    grown = grow_accounts(known, drawn_for(known, Habit(30, 150), 5), places=3, random=RANDOM(2))
    for account in range(5):
        path = lived(market, known, grown.entered[:, :, account], small)
        assert grown.equity[-1, account] == pytest.approx(path.equity[-1] / 1e6, abs=2e-4)


def test_places_are_no_more_than_the_cash_pays_for() -> None:
    assert places_of(RiskLimits(position_pct=10, max_positions=3)) == 3
    assert places_of(RiskLimits(position_pct=40, max_positions=3)) == 2
    assert places_of(RiskLimits(position_pct=100, max_positions=3)) == 1
    assert places_of(RiskLimits(position_pct=10, max_positions=3, max_exposure_pct=25)) == 2
    assert places_of(RiskLimits(position_pct=50, max_symbol_exposure_pct=10, max_positions=5)) == 5
    assert places_of(RiskLimits(position_pct=100, max_positions=3, sizing="volatility")) == 3


@pytest.fixture(scope="module")
def year(make_traded: MakeTraded) -> MadeTraded:
    return make_traded("A", sessions=500, holes=False)


@pytest.fixture(scope="module")
def drawn(year: MadeTraded) -> RandomEntries:
    return random_entries(books(year), {LINE: Habit(40, 400)}, limits=LIMITS, risk_free_pct=0)


def test_as_many_positions_are_entered(drawn: RandomEntries) -> None:
    assert (drawn.replays, drawn.entries) == (500, 40)
    assert all(len(values) == 500 for values in drawn.figures.values())


def test_the_same_question_gets_the_same_answer(year: MadeTraded, drawn: RandomEntries) -> None:
    again = random_entries(books(year), {LINE: Habit(40, 400)}, limits=LIMITS, risk_free_pct=0)
    for name, values in drawn.figures.items():
        assert (again.figures[name] == values).all()


def test_who_enters_at_random_is_found_to_be_lucky_as_often_as_the_p_value_says(
    year: MadeTraded, drawn: RandomEntries
) -> None:
    """Accounts of other random draws, by the engine: their p-values are spread evenly."""
    known = books(year)
    entered = drawn_for(known, Habit(40, 400), 60, seed=77)
    p_values = []
    for account in range(60):
        path = lived(year, known, entered[:, :, account])
        chance = drawn.beside("total_return_pct", 100 * (path.equity[-1] / path.capital - 1))
        assert chance is not None
        p_values.append(chance.p_value)
    assert np.mean(p_values) == pytest.approx(0.5, abs=4 * (1 / 12) ** 0.5 / 60**0.5)
    assert np.mean(np.array(p_values) < 0.2) == pytest.approx(0.2, abs=4 * (0.2 * 0.8 / 60) ** 0.5)


def test_who_knows_the_best_sessions_is_beyond_all_of_them(drawn: RandomEntries) -> None:
    best = float(drawn.figures["mean_trade_bp"].max()) + 1
    chance = drawn.beside("mean_trade_bp", best)
    assert chance is not None
    assert (chance.p_value, chance.share_below) == (1 / 501, 1.0)
    assert chance.low < chance.median < chance.high < best


def test_where_nothing_is_defined_there_is_nothing_to_compare(drawn: RandomEntries) -> None:
    nothing = RandomEntries(3, 0.0, {"sharpe": np.full(3, np.nan)})
    assert nothing.beside("sharpe", 1.0) is None
    assert drawn.beside("sharpe", None) is None


def test_the_trades_of_the_accounts_are_counted_as_the_engine_would(year: MadeTraded) -> None:
    known = books(year)
    found = random_entries(known, {LINE: Habit(40, 400)}, limits=LIMITS, risk_free_pct=0, replays=3)
    entered = drawn_for(known, Habit(40, 400), 3, seed=0)
    for account in range(3):
        trades = lived(year, known, entered[:, :, account]).trades
        returns = [1e4 * trade.profit / (trade.quantity * trade.entry_price) for trade in trades]
        assert found.figures["mean_trade_bp"][account] == pytest.approx(np.mean(returns), rel=1e-6)
        assert found.figures["hit_rate_pct"][account] == pytest.approx(100 * np.mean(np.array(returns) > 0))
        place = {session: number for number, session in enumerate(year.traded.sessions)}
        held = [place[trade.exit_session] - place[trade.entry_session] + 1 for trade in trades]
        assert found.figures["holding_sessions"][account] == pytest.approx(np.mean(held))
