"""Sizes by volatility against the standard library's own standard deviation and a division on paper."""

import statistics
from math import floor, log

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble.trading.account import open_account
from ensemble.trading.limits import RiskLimits
from ensemble.trading.session_bars import SessionBars
from ensemble.trading.signals import Quote, Reason, Signal, SignalOptions, decide_signals
from ensemble.trading.situation import situation_of

DAYS = pd.date_range("2021-01-01", periods=40, name="session")


def bars_of(closes: list[float]) -> SessionBars:
    frame = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close", "adj_close"), closes), DAYS[: len(closes)])
    return SessionBars({"A": frame})


def decided(closes: list[float], limits: RiskLimits) -> Signal:
    """The decision of the session after the last close, by a probability that is sure enough."""
    last = DAYS[len(closes) - 1].date()
    quote = Quote(closes[-1], 1, bars_of(closes).volatility("A", last))
    situation = situation_of(open_account(limits), DAYS[len(closes)].date(), {"A": quote}, late=False)
    (signal,) = decide_signals({"A": 0.9}, situation, options=SignalOptions(), limits=limits)
    return signal


@given(
    seed=st.integers(0, 1_000),
    swing=st.floats(0.0005, 0.08),
    target_volatility_pct=st.floats(0.05, 2),
    position_pct=st.floats(1, 30),
    lot_size=st.sampled_from([1, 25]),
)
def test_a_position_swings_by_the_target_or_is_as_large_as_any(
    seed: int, swing: float, target_volatility_pct: float, position_pct: float, lot_size: int
) -> None:
    closes = (100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, swing, 30)))).tolist()
    limits = RiskLimits(
        sizing="volatility",
        target_volatility_pct=target_volatility_pct,
        position_pct=position_pct,
        lot_size=lot_size,
        initial_capital=1_000_000,
    )
    swings = statistics.stdev(log(closes[place] / closes[place - 1]) for place in range(11, 30))
    worth = min(1_000_000 * position_pct / 100, 1_000_000 * target_volatility_pct / 100 / swings)
    lots = worth / (closes[-1] * lot_size)
    assert abs(lots - round(lots)) < 1e-6 or decided(closes, limits).quantity == lot_size * floor(lots)


@pytest.mark.parametrize(("count", "reasons"), [(19, (Reason.NO_VOLATILITY,)), (20, (Reason.CONFIDENT,))])
def test_nineteen_closes_tell_no_volatility(count: int, reasons: tuple[Reason, ...]) -> None:
    closes = [100.0 + place % 3 for place in range(count)]
    assert decided(closes, RiskLimits(sizing="volatility")).reasons == reasons


def test_by_hand_a_share_that_moves_by_two_per_cent_gets_a_tenth() -> None:
    """Log returns of +2 % and -2 % in turn, 19 of them: their standard deviation is 2.05 %."""
    closes = [100 * float(np.exp(0.02 * (place % 2))) for place in range(20)]
    limits = RiskLimits(sizing="volatility", target_volatility_pct=0.2, position_pct=50, initial_capital=1_000_000)
    by_hand = (19 * 0.02**2 - 0.02**2 / 19) / 18  # the mean is a nineteenth of 2 %
    assert decided(closes, limits).quantity == floor(1_000_000 * 0.002 / by_hand**0.5 / closes[-1])
