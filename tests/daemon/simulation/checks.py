"""What must hold at the end of a disturbed life, whatever happened in it."""

from datetime import date, datetime, timedelta
from pathlib import Path

import pandas as pd
from sqlalchemy import text

from daemon.config.settings import load_settings
from ensemble.trading.account import Trade, open_account, settle
from ensemble.trading.actions import held_actions
from ensemble.trading.events import standing
from ensemble.trading.session_bars import SessionBars
from storage.account_store import read_events, read_marks, read_positions, read_trades
from storage.engine import open_store, reading
from storage.signal_store import read_signals
from tests.daemon.compared import COMPARED, WHEN
from tests.daemon.simulation.market import LivedMarket, kept, url
from tests.daemon.simulation.world import Trouble, World

ATTEMPTS_S = 150
"""Shortly before an open it is tried again every minute, and an attempt may be killed or sleep over."""


def check_equal(folder: Path, market: LivedMarket) -> None:
    """Every row is as in the undisturbed life, but for the instants of writing."""
    found = kept(folder)
    for name in COMPARED:
        expected, now = (_sorted(tables[name]) for tables in (market.kept, found))
        pd.testing.assert_frame_equal(now, expected, check_exact=True, obj=name)


def check_whole(folder: Path, market: LivedMarket, world: World) -> None:
    """Every session decided and settled once; late where it had to be; said as in the undisturbed life where the same
    was known; outcomes as there; the account what signals and bars make it.
    """
    found = kept(folder)
    runs = found["runs"]
    assert sorted(zip(runs["kind"], runs["session"], strict=True)) == sorted(
        zip(market.kept["runs"]["kind"], market.kept["runs"]["session"], strict=True)
    )
    assert set(runs["status"]) == {"done"}, runs[runs["status"] != "done"].to_string()
    _check_late(found["signals"], market, world)
    unlike = _unlike(found["signals"], world)
    for name in ("features", "forecasts", "member_forecasts"):
        said, expected = (rows.drop(columns="late", errors="ignore") for rows in (found[name], market.kept[name]))
        assert set(said["session"]) == set(expected["session"])
        now, undisturbed = (_sorted(rows[~rows["session"].isin(unlike)]) for rows in (said, expected))
        pd.testing.assert_frame_equal(now, undisturbed, check_exact=True, obj=name)
    pd.testing.assert_frame_equal(_sorted(found["outcomes"]), _sorted(market.kept["outcomes"]), obj="outcomes")
    check_account(folder, market)


def _check_late(signals: pd.DataFrame, market: LivedMarket, world: World) -> None:
    """Late sessions opened in trouble; what was in trouble from its decision to its open is late."""
    late = set(signals.loc[signals["late"] == 1, "session"])
    for session in sorted(set(signals["session"])):
        opened = market.calendar.opens[market.calendar.position(pd.Timestamp(session))].to_pydatetime()
        before = opened - timedelta(seconds=ATTEMPTS_S)
        if opened < world.begin:
            continue
        if session in late:
            assert any(one.begin <= opened and before <= one.end for one in world.troubles), f"{session} is late"
        else:
            due = opened - timedelta(minutes=30)
            assert not any(_covers(one, due, opened) for one in world.troubles), f"{session} is not late"


def _covers(trouble: Trouble, begin: datetime, end: datetime) -> bool:
    return trouble.begin <= begin and end <= trouble.end


def _unlike(signals: pd.DataFrame, world: World) -> set[str]:
    """Sessions decided while a bar was withheld that an undisturbed life knew."""
    decided = dict(zip(signals["session"], map(datetime.fromisoformat, signals["decided_at"]), strict=True))
    return {
        session
        for session, at in decided.items()
        if any(f"{day}" < session and at <= until for (_, day), until in world.withheld.items())
    }


def check_account(folder: Path, market: LivedMarket) -> None:
    """By `settle` alone, session after session: no ledger, no reopening, no store."""
    settings = load_settings(folder / "config.toml", {})
    bars = SessionBars(market.bars)
    engine = open_store(url(folder), read_only=True)
    with reading(engine) as conn:
        assert conn.scalar(text("PRAGMA quick_check")) == "ok"
        marks, account = read_marks(conn, "live"), open_account(settings.risk)
        trades, events = list[Trade](), list[tuple[object, ...]]()
        for mark in marks:
            settlement = settle(
                account,
                session=mark.session,
                bars=bars.on(mark.session),
                signals=read_signals(conn, "live", mark.session),
                rules=settings.rules,
                actions=held_actions(account, bars, mark.session),
            )
            account = settlement.account
            assert mark == settlement.mark
            trades += settlement.trades
            events += [(one.session, one.kind, one.symbol, one.price, one.amount) for one in settlement.events]
        assert read_trades(conn, "live") == sorted(
            trades, key=lambda one: (one.exit_session, one.entry_session, one.symbol)
        )
        assert tuple(read_positions(conn, "live")) == account.positions
        told = list(read_events(conn, "live"))
        stand = [one for one in standing(told, told) if one.kind != "REOPENED"]
        assert [(one.session, one.kind, one.symbol, one.price, one.amount) for one in stand] == events
    engine.dispose()


def _sorted(frame: pd.DataFrame) -> pd.DataFrame:
    """In an order that does not depend on when a row was written, without the instants."""
    columns = [str(one) for one in frame if one not in (*WHEN, "superseded_at")]
    rows: pd.DataFrame = frame[columns].sort_values(columns, kind="stable").reset_index(drop=True)
    return rows


def withhold(world: World, market: LivedMarket, count: int) -> None:
    """Bars that the feed has hours or weeks late; the last month's come in time, so that all is settled at the end."""
    sessions = market.calendar.between(world.now_.date(), (world.end - timedelta(days=40)).date())
    for _ in range(count if len(sessions) else 0):
        day: date = sessions[int(world.random.integers(len(sessions)))].date()
        symbol = str(world.random.choice(list(market.bars)))
        known = market.calendar.closes[market.calendar.position(pd.Timestamp(day))].to_pydatetime()
        until = known + timedelta(hours=float(world.random.choice([5, 30, 100, 480])) * float(world.random.random()))
        world.withheld[symbol, day] = until
        world.note(f"withheld {symbol} {day} until {until}")
