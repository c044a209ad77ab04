import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble.trading.limits import RiskLimits
from ensemble.trading.signals import Action, Quote, Reason, Signal, SignalOptions, Situation, decide_signals
from ensemble.trading.sizing import VOLATILITY_CLOSES, daily_volatility, position_budget, whole_lots
from tests.ensemble.trading.builders import SESSION

BY_VOLATILITY = RiskLimits(sizing="volatility", position_pct=10, target_volatility_pct=0.2)


def decide(limits: RiskLimits, quote: Quote, *, symbols: str = "A", exposure: float = 0.0) -> dict[str, Signal]:
    quotes = dict.fromkeys(symbols, quote)
    now = Situation(SESSION, False, 100_000.0, 100_000.0, {}, quotes, exposure=exposure)
    signals = decide_signals(dict.fromkeys(symbols, 0.9), now, options=SignalOptions(), limits=limits)
    return {signal.symbol: signal for signal in signals}


@pytest.mark.parametrize(
    ("volatility", "budget"),
    [(0.02, 10_000), (0.04, 5_000), (0.01, 10_000), (0.0, 10_000)],
)
def test_a_share_that_swings_more_gets_less_and_none_gets_more_than_its_share(volatility: float, budget: float) -> None:
    assert position_budget(100_000, BY_VOLATILITY, volatility) == pytest.approx(budget)


def test_sizes_are_fixed_unless_asked_for() -> None:
    assert position_budget(100_000, RiskLimits(), None) == 10_000
    assert position_budget(100_000, RiskLimits(), 0.5) == 10_000


def test_without_volatility_nothing_is_sized_by_it_and_the_row_says_so() -> None:
    assert position_budget(100_000, BY_VOLATILITY, None) is None
    signal = decide(BY_VOLATILITY, Quote(100.0, 1))["A"]
    assert (signal.action, signal.quantity, signal.reasons) == (Action.HOLD, 0, (Reason.NO_VOLATILITY,))


def test_a_signal_is_sized_by_its_quotes_volatility() -> None:
    assert decide(BY_VOLATILITY, Quote(100.0, 1, 0.05))["A"].quantity == 40


def test_the_limit_of_a_symbol_bounds_its_size() -> None:
    assert decide(RiskLimits(position_pct=50, max_symbol_exposure_pct=25), Quote(100.0, 1))["A"].quantity == 250


def test_the_limit_of_exposure_bounds_the_last_and_holds_what_has_no_room() -> None:
    limits = RiskLimits(position_pct=10, max_positions=10, max_exposure_pct=25)
    signals = decide(limits, Quote(100.0, 1), symbols="ABCD")
    assert [signals[symbol].quantity for symbol in "ABCD"] == [100, 100, 50, 0]
    assert signals["D"].reasons == (Reason.MAX_EXPOSURE,)
    held = decide(limits, Quote(100.0, 1), exposure=24_950.0)["A"]
    assert (held.action, held.reasons) == (Action.HOLD, (Reason.MAX_EXPOSURE,))


def test_lots_are_whole() -> None:
    assert whole_lots(1_000.0, 30.0, 10) == 30
    assert whole_lots(-5.0, 30.0, 10) == 0


@given(st.lists(st.floats(1, 1e5), min_size=VOLATILITY_CLOSES, max_size=40))
def test_volatility_is_the_standard_deviation_of_the_last_twenty_closes_returns(closes: list[float]) -> None:
    last = closes[-VOLATILITY_CLOSES:]
    returns = [math.log(last[place + 1]) - math.log(last[place]) for place in range(len(last) - 1)]
    assert daily_volatility(closes) == pytest.approx(statistics.stdev(returns), abs=1e-12)


def test_too_few_closes_have_no_volatility() -> None:
    assert daily_volatility([100.0] * (VOLATILITY_CLOSES - 1)) is None
    assert daily_volatility([100.0] * VOLATILITY_CLOSES) == 0.0
