"""Splits and dividends of a held share, live: the feed restates its history, and the account is none the poorer."""

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import text

from daemon.backtests.backtest import backtest
from daemon.errors import DaemonError
from daemon.services import Services
from daemon.sessions.reconcile import reconcile
from storage.account_store import read_marks, read_trades
from storage.engine import reading

ServicesAt = Callable[..., AbstractContextManager[Services]]
AHEAD = ("2021-10-06", "2021-10-07", "2021-10-08", "2021-10-11", "2021-10-12", "2021-10-13", "2021-10-14")
PRICES = ["Open", "High", "Low", "Close", "Adj Close"]


def rewrite(folder: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    path = folder / "bars" / "AAA.NS.csv"
    change(pd.read_csv(path, index_col="Date", parse_dates=True)).to_csv(path, date_format="%Y-%m-%d")


def halved(bars: pd.DataFrame) -> pd.DataFrame:
    """Two shares for each: what the feed shows from the ex-date on, of all its history."""
    bars[PRICES] /= 2
    return bars


def live_through(folder: Path, services_at: ServicesAt, sessions: tuple[str, ...]) -> None:
    for session in sessions:
        for moment in ("08:50", "17:00"):
            with services_at(folder, f"{session} {moment}") as services:
                reconcile(services)


def account_of(folder: Path, services_at: ServicesAt) -> tuple[list[Any], list[Any], dict[str, list[str]]]:
    """Marks, trades, and the sessions of each kind of event."""
    kinds: dict[str, list[str]] = {}
    with services_at(folder, f"{AHEAD[-1]} 20:00") as services, reading(services.engine) as conn:
        told = text("SELECT kind, session FROM account_events WHERE origin = 'live' ORDER BY number")
        for kind, session in conn.execute(told):
            kinds.setdefault(kind, []).append(session)
        return read_marks(conn, "live"), read_trades(conn, "live"), kinds


def patient(folder: Path) -> Path:
    """Less sure forecasts sell nothing, so that some position is held for more than a night."""
    config = folder / "config.toml"
    config.write_text(config.read_text().replace("min_confidence = 0.5\n", "min_confidence = 0.515\n"))
    return folder


@pytest.fixture
def plain(copy: Path, services_at: ServicesAt) -> Path:
    """Lived through without anything to book."""
    live_through(patient(copy), services_at, AHEAD)
    return copy


def overnight(folder: Path, services_at: ServicesAt) -> str:
    """A session ahead that begins with a position which outlives it."""
    trades = account_of(folder, services_at)[1]
    spans = [(str(trade.entry_session), str(trade.exit_session)) for trade in trades]
    return next(day for day in AHEAD if any(entered < day < left for entered, left in spans))


@pytest.mark.parametrize("moment", ["08:50", pytest.param("17:00", marks=pytest.mark.slow)])
def test_a_split_stops_nobody_out_whenever_the_feed_tells_it(
    moment: str, plain: Path, lived: Path, tmp_path: Path, services_at: ServicesAt
) -> None:
    ex_date = overnight(plain, services_at)
    folder = patient(Path(shutil.copytree(lived, tmp_path / "split")))
    live_through(folder, services_at, tuple(day for day in AHEAD if day < ex_date))
    if moment == "17:00":
        with services_at(folder, f"{ex_date} 08:50") as services:
            reconcile(services)
    rewrite(folder, halved)
    live_through(folder, services_at, tuple(day for day in AHEAD if day >= ex_date))
    marks, trades, kinds = account_of(folder, services_at)
    plain_marks, plain_trades, _ = account_of(plain, services_at)
    assert kinds["SPLIT"] == [ex_date]
    for trade, other in zip(trades, plain_trades, strict=True):
        assert (trade.entry_session, trade.exit_session) == (other.entry_session, other.exit_session)
        assert trade.exit_reason == other.exit_reason
    for mark, other in zip(marks, plain_marks, strict=True):
        assert mark.equity == pytest.approx(other.equity, rel=1e-4)
    across = next(trade for trade in trades if str(trade.entry_session) < ex_date < str(trade.exit_session))
    (same,) = [trade for trade in plain_trades if trade.entry_session == across.entry_session]
    assert across.quantity == 2 * same.quantity
    assert across.entry_price == pytest.approx(same.entry_price / 2)


@pytest.mark.parametrize("factor", [2.0, *(pytest.param(one, marks=pytest.mark.slow) for one in (1.18, 1.3))])
def test_a_split_that_the_feed_tells_a_session_late_stops_nobody_out(
    factor: float, plain: Path, lived: Path, tmp_path: Path, services_at: ServicesAt
) -> None:
    """The bar is held as a new level until the feed tells, and the settlement waits; of a small split the bar waits."""
    ex_date = overnight(plain, services_at)
    folder = patient(Path(shutil.copytree(lived, tmp_path / "split")))

    def divide(bars: pd.DataFrame, *, before: bool) -> pd.DataFrame:
        bars.loc[(bars.index < ex_date) == before, PRICES] /= factor
        return bars

    live_through(folder, services_at, tuple(day for day in AHEAD if day < ex_date))
    rewrite(folder, partial(divide, before=False))
    live_through(folder, services_at, (ex_date,))
    rewrite(folder, partial(divide, before=True))
    after = tuple(day for day in AHEAD if day > ex_date)
    live_through(folder, services_at, after)
    marks, trades, kinds = account_of(folder, services_at)
    plain_marks, plain_trades, _ = account_of(plain, services_at)
    assert kinds["SPLIT"] == [after[0] if factor < 1.2 else ex_date]
    assert [(one.exit_session, one.exit_reason) for one in trades] == [
        (one.exit_session, one.exit_reason) for one in plain_trades
    ]
    told = [(mark, other) for mark, other in zip(marks, plain_marks, strict=True) if str(mark.session) != ex_date]
    for mark, other in told:
        assert mark.equity == pytest.approx(other.equity, rel=1e-4)


def test_a_dividend_of_a_held_share_is_credited_and_a_backtest_does_the_same(
    plain: Path, lived: Path, tmp_path: Path, services_at: ServicesAt
) -> None:
    ex_date = overnight(plain, services_at)
    folder = patient(Path(shutil.copytree(lived, tmp_path / "dividend")))
    live_through(folder, services_at, tuple(day for day in AHEAD if day < ex_date))

    def pay(bars: pd.DataFrame) -> pd.DataFrame:
        bars.loc[bars.index < ex_date, "Adj Close"] *= 0.99
        return bars

    rewrite(folder, pay)
    live_through(folder, services_at, tuple(day for day in AHEAD if day >= ex_date))
    marks, trades, kinds = account_of(folder, services_at)
    assert kinds["EX_DIVIDEND"] == [ex_date]
    (paid,) = [trade for trade in trades if trade.income]
    bars = pd.read_csv(folder / "bars" / "AAA.NS.csv", index_col="Date", parse_dates=True)
    before = bars.loc[bars.index < ex_date, "Close"].iloc[-1]
    assert paid.income == pytest.approx(paid.quantity * before * 0.01, rel=1e-6)
    with services_at(folder, "2021-12-31 20:00") as services:
        backtest(services, first=marks[0].session, last=marks[-1].session)
        with reading(services.engine) as conn:
            assert read_trades(conn, "backtest") == trades
            assert read_marks(conn, "backtest") == marks


def test_a_table_of_demergers_of_ones_own_is_read_or_refused_in_one_line(copy: Path, services_at: ServicesAt) -> None:
    config, table = copy / "config.toml", copy / "own.csv"
    config.write_text(config.read_text().replace("[market]\n", '[market]\ndemergers = "own.csv"\n'))
    refusals = {
        None: r"market\.demergers .*own\.csv cannot be read: No such file or directory; name another file\.",
        "symbol\n": r"own\.csv: it has no column session; it needs symbol, session, value, close_before\.",
    }
    for content, said in refusals.items():
        if content is not None:
            table.write_text(content)
        with services_at(copy, "2021-10-06 20:00") as services, pytest.raises(DaemonError, match=said):
            reconcile(services)
    table.write_text("symbol,session,value,close_before\nAAA.NS,2021-10-06,10,100\n")
    with services_at(copy, "2021-10-06 20:00") as services:
        assert [task.kind for task in reconcile(services).done] == ["decide", "settle"]


def test_a_position_at_the_end_of_a_backtest_is_marked_and_not_sold(plain: Path, services_at: ServicesAt) -> None:
    within = overnight(plain, services_at)
    with services_at(plain, "2021-12-31 20:00") as services:
        replayed = backtest(services, first=pd.Timestamp("2021-09-28").date(), last=pd.Timestamp(within).date())
    (held,) = replayed[-1].settlement.account.positions
    mark = replayed[-1].settlement.mark
    assert mark.positions == 1
    assert mark.equity == pytest.approx(mark.cash + held.quantity * held.last_close)
    assert held.last_session == mark.session
