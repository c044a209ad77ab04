"""A level that the newest bars show is stored only once something speaks for it: a person, an action, the others."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from sqlalchemy import text
from typer.testing import CliRunner

from daemon.bars.demergers import known_demergers
from daemon.bars.evidence import crowd_of, dividend_steps
from daemon.bars.ingest import ingest
from daemon.bars.market import Seen, load_market
from daemon.bars.stating import read_value, state
from daemon.cli import app
from daemon.errors import DaemonError
from daemon.services import Services
from daemon.sessions.desk import home_calendar
from daemon.sessions.reconcile import reconcile
from daemon.verifying.verify import verify
from ensemble.features.matrix import Market
from storage.action_store import Action
from storage.bar_store import read_bars
from storage.engine import reading, transaction
from storage.feeds.feed import History, no_actions
from storage.quarantine_store import Decision, decide, read_quarantine

ServicesAt = Callable[..., AbstractContextManager[Services]]
EX_DATE = date(2021, 10, 6)
FIRST, SECOND = "2021-10-06 20:00", "2021-10-07 20:00"
NOW = datetime(2021, 10, 6, tzinfo=UTC)
PRICES = ["Open", "High", "Low", "Close", "Adj Close"]


def fall(folder: Path, factor: float, names: tuple[str, ...] = ("AAA.NS",)) -> None:
    """From the ex-date on, in the files of the feed."""
    for name in names:
        path = folder / "bars" / f"{name}.csv"
        bars = pd.read_csv(path)
        bars.loc[bars["Date"] >= str(EX_DATE), PRICES] *= factor
        bars.to_csv(path, index=False)


def newest(services: Services) -> date:
    """The newest session of AAA.NS, after another reading."""
    ingest(services, home_calendar(services.settings, services.clock.now()))
    with reading(services.engine) as conn:
        return pd.DatetimeIndex(read_bars(conn, ["AAA.NS"])["AAA.NS"].index)[-1].date()


def market_of(services: Services) -> Market:
    return load_market(services.engine, services.settings, home_calendar(services.settings, services.clock.now()))


@pytest.mark.parametrize("factor", [0.5, 0.75])
def test_an_unexplained_level_is_not_believed_after_two_sessions_either(
    copy: Path, services_at: ServicesAt, factor: float
) -> None:
    fall(copy, factor)
    for moment in (FIRST, SECOND):
        with services_at(copy, moment) as services:
            assert newest(services) == date(2021, 10, 5)


def test_a_false_level_that_the_feed_takes_back_leaves_the_true_bars(copy: Path, services_at: ServicesAt) -> None:
    fall(copy, 0.5)
    with services_at(copy, FIRST) as services:
        newest(services)
    fall(copy, 2.0)
    with services_at(copy, SECOND) as services:
        assert newest(services) == date(2021, 10, 7)
        with reading(services.engine) as conn:
            assert conn.scalar(text("SELECT count(*) FROM bars WHERE withdrawn IS NOT NULL")) == 0


def test_a_fall_by_a_dividend_that_the_feed_tells_is_believed_at_once(copy: Path, services_at: ServicesAt) -> None:
    fall(copy, 0.75)
    path = copy / "bars" / "AAA.NS.csv"
    bars = pd.read_csv(path)
    paid = 0.25 * bars["Close"][bars["Date"] < str(EX_DATE)].iloc[-1]
    bars["Dividends"] = np.where(bars["Date"] == str(EX_DATE), paid, 0.0)
    bars.to_csv(path, index=False)
    with services_at(copy, FIRST) as services:
        assert newest(services) == EX_DATE


def test_what_falls_with_the_whole_market_is_believed_at_once(copy: Path, services_at: ServicesAt) -> None:
    fall(copy, 0.8, ("AAA.NS", "BBB.NS", "^INDEX"))
    with services_at(copy, FIRST) as services:
        assert newest(services) == EX_DATE


def test_a_demerger_that_is_stated_lets_its_fall_pass(copy: Path, services_at: ServicesAt) -> None:
    fall(copy, 0.75)
    with services_at(copy, FIRST) as services:
        assert newest(services) == date(2021, 10, 5)
        told = ("AAA.NS", EX_DATE, "demerger", "25/100")
        assert state(services.engine, services.settings, told=told, now=services.clock.now())
        assert newest(services) == EX_DATE
        assert not state(services.engine, services.settings, told=told, now=services.clock.now())


def test_what_is_stated_is_credited_to_holders_before_the_table(services_at: ServicesAt, copy: Path) -> None:
    jio, own = date(2023, 7, 20), date(2023, 7, 21)
    actions = [
        Action("RELIANCE.NS", jio, "demerger", 0.1, "stated", NOW),
        Action("A.NS", own, "bonus", 2.0, "stated", NOW),
    ]
    split = Action("A.NS", date(2023, 7, 24), "split", 2.0, "yahoo", NOW)
    with services_at(copy, FIRST) as services:
        before = known_demergers(services.settings)
        after = known_demergers(services.settings, [*actions, split])
    shares = {one.session: one.share for one in before} | {jio: 0.1, own: 0.5}
    assert {one.session: one.share for one in after} == pytest.approx(shares)


@pytest.mark.slow
def test_a_statement_changes_nothing_that_was_decided_before_it(copy: Path, services_at: ServicesAt) -> None:
    fall(copy, 0.75)
    for moment in ("06 17:00", "07 08:50", "07 17:00"):
        with services_at(copy, f"2021-10-{moment}") as services:
            reconcile(services)
            if moment == "07 08:50":
                told = ("AAA.NS", EX_DATE, "demerger", "25/100")
                state(services.engine, services.settings, told=told, now=services.clock.now())
    with services_at(copy, "2021-10-31 20:00") as services:
        assert verify(services, since=date(2021, 9, 28)).passes(allow_unreplayed=False)


def test_a_person_who_accepts_the_first_bar_of_a_level_lets_all_of_it_in(copy: Path, services_at: ServicesAt) -> None:
    fall(copy, 0.75)
    with services_at(copy, SECOND) as services:
        newest(services)
        with transaction(services.engine) as conn:
            (first,) = [one for one in read_quarantine(conn, symbol="AAA.NS") if one.session == EX_DATE]
            decide(conn, first.id, Decision("accepted", "ann", "", services.clock.now()), complete=True)
        assert newest(services) == date(2021, 10, 7)


def test_the_command_states_an_action_once_and_actions_show_it(copy: Path) -> None:
    def call(*words: str) -> str:
        words = ("--config", str(copy / "config.toml"), "bars", *words)
        return CliRunner().invoke(app, words, catch_exceptions=False).stdout

    words = ("state", "AAA.NS", "2021-09-29", "bonus", "4/3")
    assert call(*words) == "bonus of AAA.NS on 2021-09-29 is known from now on\n"
    assert call(*words) == "bonus of AAA.NS on 2021-09-29 was known already\n"
    assert "BROKEN" in call("actions")  # these bars fell by nothing


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (("ZZZ.NS", EX_DATE, "bonus", "2"), "ZZZ.NS stands nowhere in"),
        (("AAA.NS", EX_DATE, "split", "2"), 'kind was "split"; it must be one of bonus, rights, demerger'),
    ],
)
def test_what_can_not_be_stated_is_refused_in_one_line(
    copy: Path, services_at: ServicesAt, told: tuple[str, date, str, str], said: str
) -> None:
    with services_at(copy, FIRST) as services, pytest.raises(DaemonError, match=said):
        state(services.engine, services.settings, told=told, now=services.clock.now())


@pytest.mark.parametrize("wrong", ["x", "1/0", "", "nan"])
def test_a_value_that_is_no_number_is_refused(wrong: str) -> None:
    with pytest.raises(DaemonError, match="value was"):
        read_value("rights", wrong)


@pytest.mark.parametrize(("kind", "wrong"), [("bonus", "0.5"), ("bonus", "inf"), ("rights", "1"), ("demerger", "-0.1")])
def test_a_value_that_is_none_of_its_kind_is_refused(kind: str, wrong: str) -> None:
    with pytest.raises(DaemonError, match=f"value was {wrong}; "):
        read_value(kind, wrong)


def test_a_large_dividend_is_a_step_and_a_small_one_none() -> None:
    days = pd.DatetimeIndex(["2021-10-04", "2021-10-05", "2021-10-06"])
    closes = pd.Series([100.0, 90.0, 80.0], index=days)
    paid = {days[0]: 50.0, days[1]: 10.0, days[2]: 1.0, pd.Timestamp("2021-10-07"): 90.0}
    assert dividend_steps(paid, closes) == pytest.approx({date(2021, 10, 5): 0.9})


def test_the_crowd_is_the_median_of_the_others_of_an_exchange_in_their_own_measure() -> None:
    days = pd.bdate_range("2021-01-01", periods=100, name="session")
    random = np.random.default_rng(0)

    def history(jump: float) -> History:
        moves = random.normal(0, 0.01, 100)
        moves[50] = jump
        closes = 100 * np.exp(np.cumsum(moves))
        bars = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close", "adj_close"), closes), index=days)
        return History(bars.assign(volume=1.0), no_actions())

    told = {"A": history(-0.5), "B": history(-0.1), "C": history(-0.1), "D": history(0.0), "E": history(0.1)}
    crowd = crowd_of("A", told, dict.fromkeys("ABCD", "X") | {"E": "Y"})
    assert crowd is not None
    assert -14 < crowd.iloc[50] < -7
    assert np.nanmax(np.abs(crowd.drop(days[50]))) < 4
    assert crowd_of("E", told, dict.fromkeys("ABCD", "X") | {"E": "Y"}) is None


def test_features_and_adjusted_closes_go_on_over_a_stated_demerger(copy: Path, services_at: ServicesAt) -> None:
    with services_at(copy, FIRST) as services:
        newest(services)
        plain = market_of(services)
    fall(copy, 0.75)
    with services_at(copy, SECOND) as services:
        told = ("AAA.NS", EX_DATE, "demerger", "0.25")
        state(services.engine, services.settings, told=told, now=services.clock.now())
        newest(services)
        after = market_of(services).bars["AAA.NS"].loc[: str(EX_DATE)]
        unknown = load_market(
            services.engine,
            services.settings,
            home_calendar(services.settings, services.clock.now()),
            seen=Seen(datetime(2021, 10, 6, 23, tzinfo=UTC)),
        )
    moves = [frame["adj_close"].pct_change() for frame in (after, plain.bars["AAA.NS"].loc[: str(EX_DATE)])]
    np.testing.assert_allclose(moves[0][1:], moves[1][1:], atol=1e-3)
    assert after["close"].pct_change().iloc[-1] < -0.2  # what was traded is what it was
    assert_frame_equal(unknown.bars["AAA.NS"], plain.bars["AAA.NS"].loc[: unknown.bars["AAA.NS"].index[-1]])
