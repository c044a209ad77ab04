"""What the gate is told: how old the model is, and past trades as they were known at each decision."""

from collections.abc import Mapping
from datetime import date
from functools import partial

import numpy as np
import pandas as pd
import pytest

from daemon.config.settings import Settings
from daemon.sessions.beliefs import model_age_months, open_experience
from ensemble.features.matrix import Market
from ensemble.model import Model
from ensemble.sessions import load_calendar
from ensemble.stacking.combiner import Combiner
from ensemble.trading.limits import RiskLimits
from ensemble.trading.payoffs import past_trades

CALENDAR = load_calendar("XNSE", first=date(2017, 1, 1), last=date(2020, 12, 31))
LIMITS = RiskLimits(max_holding_sessions=5)


def market(delay_min: int = 60) -> Market:
    random = np.random.default_rng(1)
    settings = Settings()
    bars = {}
    for symbol in ("AAA.NS", "BBB.NS"):
        close = 100 * np.exp(np.cumsum(random.normal(0, 0.01, len(CALENDAR.sessions))))
        opened = close * np.exp(random.normal(0, 0.01, len(close)))
        prices = {"open": opened, "close": close, "adj_close": close, "volume": 1.0}
        prices |= {"high": np.maximum(opened, close) * 1.005, "low": np.minimum(opened, close) * 0.995}
        bars[symbol] = pd.DataFrame(prices, index=CALENDAR.sessions)
    return Market(CALENDAR, bars, {}, settings.schedule.decision_time, delay_min, LIMITS)


@pytest.mark.parametrize(
    ("retrain", "session", "made_for", "age"),
    [
        ("monthly", date(2021, 10, 1), "2021-10", 1),
        ("monthly", date(2021, 10, 29), "2021-09", 2),
        ("monthly", date(2022, 1, 3), "2021-11", 3),
        ("quarterly", date(2021, 12, 31), "2021-10", 1),
        ("quarterly", date(2021, 10, 1), "2021-07", 4),
    ],
)
def test_a_model_of_the_session_s_own_month_or_quarter_is_one_month_old(
    retrain: str, session: date, made_for: str, age: int
) -> None:
    settings = Settings.model_validate({"ensemble": {"retrain": retrain}})
    model = Model("any", made_for, Combiner((), (), ()), dict)
    assert model_age_months(session, model, settings) == age


@pytest.mark.parametrize("promotion", [{}, {"policy": "better"}])
def test_by_default_a_quarterly_model_may_serve_the_quarter_after_its_own(promotion: Mapping[str, str]) -> None:
    settings = Settings.model_validate({"ensemble": {"retrain": "quarterly"}, "promotion": promotion})
    model = Model("any", "2021-01", Combiner((), (), ()), dict)
    for session in (date(2021, 4, 1), date(2021, 6, 30)):
        assert model_age_months(session, model, settings) <= settings.signals.max_model_age_months


@pytest.mark.parametrize("delay_min", [0, 60])
def test_every_decision_knows_the_trades_that_could_have_ended_with_the_session_before(delay_min: int) -> None:
    known = market(delay_min)
    everything = past_trades(known.bars, sessions=CALENDAR.sessions, label="gap", limits=LIMITS, asked=LIMITS)
    for first in (CALENDAR.sessions[700], CALENDAR.sessions[0]):
        experience = open_experience(known, first=first, label="gap", limits=LIMITS)
        for place in range(700, 760):
            session = CALENDAR.sessions[place].date()
            assert experience.payoffs(session) == everything.payoffs(place)
            assert experience.payoffs(session) is not None


def test_experience_is_of_the_trades_that_are_made_not_of_the_one_that_the_label_asks_about() -> None:
    known, made = market(0), LIMITS.model_copy(update={"stop_loss_pct": 7.0, "max_holding_sessions": 4})
    everything = past_trades(known.bars, sessions=CALENDAR.sessions, label="gap", limits=made, asked=known.limits)
    experience = open_experience(known, first=CALENDAR.sessions[700], label="gap", limits=made)
    assert experience.payoffs(CALENDAR.sessions[720].date()) == everything.payoffs(720)


def test_a_bar_that_is_not_final_when_the_next_session_is_decided_is_not_known_to_it() -> None:
    late = market(delay_min=18 * 60)  # final at 09:30 of the day after, later than 08:45
    everything = past_trades(late.bars, sessions=CALENDAR.sessions, label="gap", limits=LIMITS, asked=LIMITS)
    experience = open_experience(late, first=CALENDAR.sessions[0], label="gap", limits=LIMITS)
    for place in range(700, 760):
        before, session = CALENDAR.sessions[place - 1 : place + 1]
        on_the_morrow = (session - before).days == 1
        assert experience.payoffs(session.date()) == everything.payoffs(place - on_the_morrow)


def test_no_experience_is_of_what_a_demerger_carved_out() -> None:
    whole, carved, place = market(), market(), 650
    prices = ["open", "high", "low", "close", "adj_close"]
    carved.bars["AAA.NS"].loc[CALENDAR.sessions[place] :, prices] *= 0.75
    steps = {"AAA.NS": {CALENDAR.sessions[place].date(): 0.75}}
    asked = partial(open_experience, first=CALENDAR.sessions[600], label="open_to_close", limits=LIMITS)
    session = CALENDAR.sessions[place + LIMITS.max_holding_sessions].date()
    assert asked(carved, steps=steps).payoffs(session) == asked(whole).payoffs(session)
    assert asked(carved).payoffs(session) != asked(whole).payoffs(session)
