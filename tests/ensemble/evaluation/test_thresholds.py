"""Each threshold's signals are counted by hand, and its trades are the paper account's own."""

from dataclasses import replace
from datetime import date, time

import numpy as np
import pandas as pd
import pytest

from ensemble.evaluation.replay import TradedMarket, TradedSessions, replay, traded_sessions
from ensemble.evaluation.scored import Scored
from ensemble.evaluation.thresholds import ThresholdAdvice, advise
from ensemble.sessions import load_calendar
from ensemble.trading.account import ExitReason, Trade
from ensemble.trading.costs import Costs, Schedule
from ensemble.trading.limits import RiskLimits
from ensemble.trading.rules import TradingRules
from ensemble.trading.signals import SignalOptions

CALENDAR = load_calendar("XNSE", first=date(2021, 1, 1), last=date(2021, 3, 31))
SESSIONS = CALENDAR.between(date(2021, 1, 4), date(2021, 1, 15))
LIMITS = RiskLimits(position_pct=50, max_holding_sessions=1, stop_loss_pct=40, take_profit_pct=90)
FREE = TradingRules(LIMITS, Costs(schedule=Schedule.FLAT, commission_bp=0, slippage_bp=0))


def bars(opens: list[float], closes: list[float]) -> pd.DataFrame:
    """From the session before SESSIONS on."""
    index = CALENDAR.sessions[:1].append(SESSIONS)[: len(opens)]
    prices = {"open": opens, "close": closes}
    prices |= {"high": (np.maximum(opens, closes) + 0.01).tolist(), "low": (np.minimum(opens, closes) - 0.01).tolist()}
    return pd.DataFrame(prices | {"adj_close": closes, "volume": 1.0}, index=index)


def flat_bars() -> pd.DataFrame:
    return bars([100.0] * 11, [100.0, *[101.0, 99.0] * 5])


def market(**frames: pd.DataFrame) -> TradedSessions:
    known = TradedMarket(CALENDAR, frames, time(8, 45), 60)
    return traded_sessions(known, SESSIONS[0].date(), SESSIONS[-1].date())


def scored(probability: list[float], outcome: list[float]) -> Scored:
    return Scored("open_to_close", SESSIONS, ("A",), np.array([probability]), np.array([outcome]), 1)


SAID = [0.5, 0.55, 0.62, 0.45, 0.7, 0.29, 0.71, 0.8, 0.3, 0.9]
CAME = [1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, np.nan]


def advised(threshold: float, rules: TradingRules = FREE, said: list[float] = SAID) -> ThresholdAdvice:
    (found,) = advise(
        scored(said, CAME), market(A=flat_bars()), options=SignalOptions(), rules=rules, thresholds=[threshold]
    )
    return found


def test_forecasts_at_least_so_sure_of_either_side_are_signals_and_a_half_is_none() -> None:
    assert (advised(0.5).signals, advised(0.7).signals, advised(0.95).signals) == (9, 6, 0)
    assert advised(0.7).coverage == pytest.approx(0.6)


def test_precision_is_of_the_signals_whose_outcome_is_known() -> None:
    """At .7: .7, .29 and .71 were right, .8 and .3 wrong, what came of .9 is not known."""
    found = advised(0.7)
    assert [found.right.value, found.ups_right.value] == pytest.approx([3 / 5, 2 / 3])
    assert found.right.low < 3 / 5 < found.right.high


def test_a_year_is_the_time_from_the_first_forecast_to_the_last() -> None:
    years = 12 / 365.25
    assert advised(0.7).signals_a_year == pytest.approx(6 / years)
    assert advised(0.7).ups_a_year == pytest.approx(4 / years)


def test_a_threshold_that_nothing_reaches_trades_nothing_and_claims_nothing() -> None:
    found = advised(0.95)
    assert (found.trades, found.return_pct) == (0, 0.0)
    assert np.isnan(found.right.value)
    assert np.isnan(found.trade_return_bp.value)


def test_a_trade_earns_what_the_session_did_less_the_costs_of_both_sides() -> None:
    """Half the account, 5,000 shares at 100, the open; sold at 101, the close. At 99, the last close, it were more."""
    said = [0.5] * 6 + [0.9] + [0.5] * 3
    free = advised(0.7, said=said)
    assert [free.trades, free.trade_return_bp.value] == pytest.approx([1, 100.0])
    assert free.return_pct == pytest.approx(0.5)
    costs = Costs(schedule=Schedule.FLAT, commission_bp=10, slippage_bp=20)
    paid, got = 100 * 1.002, 101 * 0.998
    expected = 1e4 * (got - paid - 0.001 * (got + paid)) / paid
    assert advised(0.7, replace(FREE, costs=costs), said).trade_return_bp.value == pytest.approx(expected)


def test_the_account_follows_the_signals_session_by_session() -> None:
    said = {SESSIONS[0].date(): {"A": 0.9}, SESSIONS[2].date(): {"A": 0.1}}
    limits = LIMITS.model_copy(update={"max_holding_sessions": 9})
    options = SignalOptions(min_confidence=0.6)
    settled = replay(said, market(A=flat_bars()), options=options, rules=TradingRules(limits, FREE.costs))
    assert [one.mark.session for one in settled] == list(SESSIONS.date)
    assert [one.mark.positions for one in settled] == [1, 1, 0, *[0] * 7]
    assert settled[2].trades == (
        Trade("A", 5000, SESSIONS[0].date(), 100.0, SESSIONS[2].date(), 100.0, ExitReason.SIGNAL, 0.0, 0.0),
    )


def test_a_position_is_sized_by_the_last_close_known_and_not_by_the_sessions_own() -> None:
    jump = bars([100.0] * 4 + [140.0] * 7, [100.0] * 4 + [140.0] * 7)
    rules = replace(FREE, limits=LIMITS.model_copy(update={"position_pct": 100}))
    settled = replay({SESSIONS[3].date(): {"A": 0.9}}, market(A=jump), options=SignalOptions(), rules=rules)
    assert [trade.quantity for one in settled for trade in one.trades] == [7142]  # 10,000 ordered, cash for 7,142


def test_a_symbol_without_yesterdays_bar_is_not_bought() -> None:
    stale = flat_bars().drop(SESSIONS[3])
    said = {SESSIONS[4].date(): {"A": 0.9}, SESSIONS[6].date(): {"A": 0.9}}
    settled = replay(said, market(A=stale), options=SignalOptions(), rules=FREE)
    assert [trade.entry_session for one in settled for trade in one.trades] == [SESSIONS[6].date()]
