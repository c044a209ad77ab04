"""What an ingest keeps of what a feed brings, whatever order and portions it comes in."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from sqlalchemy import text

from daemon.bars.ingest import IngestReport, ingest
from daemon.services import Services
from daemon.sessions.desk import home_calendar
from storage.action_store import Restatement, read_actions, read_restatements
from storage.bar_store import read_bars
from storage.engine import StoreError, open_store, reading
from storage.feeds import FeedError
from storage.feeds.feed import History
from tests.storage.kill_points import ROOT

ServicesAt = Callable[..., AbstractContextManager[Services]]
OLD_EPOCH = """
    SELECT old.session, old.close FROM restatements AS new JOIN bars AS old USING (symbol)
    WHERE old.superseded_at = new.seen_at
"""
"""As docs/data-quality.md has it."""
SYMBOLS = ["AAA.NS", "BBB.NS", "ETF", "^INDEX"]


class ChangedFeed:
    """The installation's files, each frame changed on its way."""

    def __init__(self, services: Services, change: Callable[[str, pd.DataFrame], pd.DataFrame]) -> None:
        self.name, self.on_network = services.feed.name, services.feed.on_network
        self._feed, self._change = services.feed, change

    def fetch(self, symbols: Sequence[str], *, first: date, last: date) -> Mapping[str, History | FeedError]:
        answers = self._feed.fetch(symbols, first=first, last=last)
        return {
            symbol: answer
            if isinstance(answer, FeedError)
            else replace(answer, bars=self._change(symbol, answer.bars.copy()))
            for symbol, answer in answers.items()
        }


def take(services: Services, change: Callable[[str, pd.DataFrame], pd.DataFrame] | None = None) -> IngestReport:
    if change is not None:
        services = replace(services, feed=ChangedFeed(services, change))
    return ingest(services, home_calendar(services.settings, services.clock.now()))


def bars_of(services: Services) -> dict[str, pd.DataFrame]:
    with reading(services.engine) as conn:
        return read_bars(conn, SYMBOLS)


def split(folder: Path, ex_date: str, *, dividend: float = 0.0) -> None:
    """The file of AAA.NS as after a split of 2 for 1 on that session, which it tells of, and perhaps a dividend too."""
    path = folder / "bars" / "AAA.NS.csv"
    bars = pd.read_csv(path)
    bars.loc[bars["Date"] < ex_date, ["Open", "High", "Low", "Close", "Adj Close"]] /= 2
    bars["Dividends"] = np.where(bars["Date"] == ex_date, dividend, 0.0)
    bars["Stock Splits"] = np.where(bars["Date"] == ex_date, 2.0, 0.0)
    bars.to_csv(path, index=False)


def events_of(services: Services) -> tuple[list[tuple[str, str, float]], list[Restatement]]:
    """The actions by kind, session and value, and the restatements."""
    with reading(services.engine) as conn:
        return [(one.kind, str(one.session), one.value) for one in read_actions(conn)], read_restatements(conn)


def scattered(of: str) -> Callable[[str, pd.DataFrame], pd.DataFrame]:
    """A feed that changes every other bar of one symbol by a factor of its own."""

    def scatter(symbol: str, bars: pd.DataFrame) -> pd.DataFrame:
        if symbol == of:
            random = np.random.default_rng(0)
            rows = random.permutation(len(bars))[: len(bars) // 2]
            bars.iloc[rows, :5] *= np.exp(random.normal(0, 0.1, (len(rows), 1)))
        return bars

    return scatter


@pytest.fixture
def folder(write_installation: Callable[[Path], Path], tmp_path: Path) -> Path:
    return write_installation(tmp_path / "installation")


def test_the_store_is_the_same_whichever_days_it_was_fed_on(
    folder: Path, tmp_path: Path, services_at: ServicesAt, write_installation: Callable[[Path], Path]
) -> None:
    with services_at(folder, "2021-10-05 20:00") as services:
        take(services)
        at_once = bars_of(services)
    other = write_installation(tmp_path / "other")
    for moment in ("2019-03-01 20:00", "2021-06-01 08:50", "2021-09-30 20:00", "2021-10-05 20:00"):
        with services_at(other, moment) as services:
            take(services)
            again = take(services)
            assert (again.added, again.changed) == (0, 0)
            by_and_by = bars_of(services)
    for symbol in SYMBOLS:
        assert_frame_equal(by_and_by[symbol], at_once[symbol], check_exact=True)


def test_a_rewritten_history_of_a_traded_symbol_is_refused_in_one_line_and_the_store_stays(
    folder: Path, services_at: ServicesAt
) -> None:
    with services_at(folder, "2021-10-05 20:00") as services:
        take(services)
        before = bars_of(services)
        with pytest.raises(FeedError, match=r"AAA\.NS: .* changed by odd factors") as refused:
            take(services, scattered("AAA.NS"))
        assert "\n" not in str(refused.value)
        assert all(frame.equals(before[symbol]) for symbol, frame in bars_of(services).items())


def test_a_rewritten_context_series_stays_as_it_was_and_stops_nothing(folder: Path, services_at: ServicesAt) -> None:
    with services_at(folder, "2021-10-04 20:00") as services:
        take(services)
        before = bars_of(services)
    with services_at(folder, "2021-10-05 20:00") as services:
        report = take(services, scattered("ETF"))
        after = bars_of(services)
    assert list(report.failed) == ["ETF"]
    assert after["ETF"].equals(before["ETF"])
    assert after["AAA.NS"].index[-1] - before["AAA.NS"].index[-1] == timedelta(days=1)


@pytest.mark.parametrize("factor", [0.5, 0.1, 0.98, 4 / 3])
def test_a_restated_history_is_taken_whole_and_the_old_one_stays_known(
    folder: Path, services_at: ServicesAt, factor: float
) -> None:
    def restate(symbol: str, bars: pd.DataFrame) -> pd.DataFrame:
        if symbol == "AAA.NS":
            bars.iloc[:, :5] *= factor
        return bars

    with services_at(folder, "2021-10-04 20:00") as services:
        take(services)
        known_at, before = services.clock.now(), bars_of(services)["AAA.NS"]
    with services_at(folder, "2021-10-05 20:00") as services:
        take(services, restate)
        after = bars_of(services)["AAA.NS"].loc[: before.index[-1]]
        with reading(services.engine) as conn:
            as_known = read_bars(conn, ["AAA.NS"], known_at=known_at)["AAA.NS"]
    np.testing.assert_allclose(after["close"], before["close"] * factor, rtol=1e-9)
    assert_frame_equal(as_known, before)


def test_a_bar_that_a_restated_history_lacks_follows_its_neighbours(folder: Path, services_at: ServicesAt) -> None:
    with services_at(folder, "2021-10-04 20:00") as services:
        take(services)
        before = bars_of(services)["AAA.NS"]
    special = before.index[-100]

    def restate(symbol: str, bars: pd.DataFrame) -> pd.DataFrame:
        if symbol != "AAA.NS":
            return bars
        bars.iloc[:, :5] *= 0.5
        lacking: pd.DataFrame = bars.drop(special, errors="ignore")
        return lacking

    with services_at(folder, "2021-10-05 20:00") as services:
        take(services, restate)
        after = bars_of(services)["AAA.NS"]
    prices = ["open", "high", "low", "close", "adj_close"]
    np.testing.assert_allclose(after.loc[special, prices], before.loc[special, prices] * 0.5, rtol=1e-9)
    assert after.loc[special, "volume"] == pytest.approx(2 * before.loc[special, "volume"])


def test_a_split_is_kept_with_the_bars_and_explains_the_restatement_which_is_told_once(
    folder: Path, services_at: ServicesAt
) -> None:
    with services_at(folder, "2021-10-01 20:00") as services:
        take(services)
        before = bars_of(services)["AAA.NS"]
        assert events_of(services) == ([], [])
    split(folder, "2021-10-04")
    with services_at(folder, "2021-10-05 20:00") as services:
        take(services)
        told = events_of(services)
        take(services)
        assert events_of(services) == told
        now = services.clock.now()
        with reading(services.engine) as conn:
            old = {str(session): float(close) for session, close in conn.execute(text(OLD_EPOCH))}
    actions, (restated,) = told
    assert actions == [("split", "2021-10-04", 2.0)]
    assert restated.factor == pytest.approx(0.5)
    assert (restated.symbol, restated.seen_at) == ("AAA.NS", now)
    assert (restated.first_session, restated.last_session) == (before.index[0].date(), date(2021, 10, 1))
    assert (restated.bars_changed, restated.explained_by) == (len(before), "split 2021-10-04")
    assert old == {f"{session:%Y-%m-%d}": close for session, close in before["close"].items()}


def test_a_restatement_of_which_no_action_is_told_says_so(folder: Path, services_at: ServicesAt) -> None:
    with services_at(folder, "2021-10-01 20:00") as services:
        take(services)
    split(folder, "2021-10-04")
    path = folder / "bars" / "AAA.NS.csv"
    pd.read_csv(path).drop(columns=["Dividends", "Stock Splits"]).to_csv(path, index=False)
    with services_at(folder, "2021-10-05 20:00") as services:
        take(services)
        actions, (restated,) = events_of(services)
    assert (actions, restated.explained_by) == ([], None)


def test_of_a_symbol_that_is_refused_no_action_is_kept(folder: Path, services_at: ServicesAt) -> None:
    split(folder, "2021-09-30", dividend=0.5)
    with services_at(folder, "2021-10-04 20:00") as services:
        take(services)
        kept = events_of(services)
        assert [kind for kind, *_ in kept[0]] == ["dividend", "split"]
    split(folder, "2021-10-05")
    with services_at(folder, "2021-10-05 20:00") as services:
        with pytest.raises(FeedError, match="changed by odd factors"):
            take(services, scattered("AAA.NS"))
        assert events_of(services) == kept


# Forked, because starting Python and importing all anew for each kill would take seconds each time.
KILLED = """
import os, shutil, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from sqlalchemy import event
from sqlalchemy.engine import Engine
from daemon.clock import FixedClock
from daemon.sessions.desk import home_calendar
from daemon.bars.ingest import ingest
from daemon.console.progress import silent
from daemon.services import Services
from daemon.config.settings import load_settings
from storage.engine import open_store
from storage.feeds import open_feed
from storage.model_store import ModelStore

template, copies, now = Path(sys.argv[1]), Path(sys.argv[2]), datetime.fromisoformat(sys.argv[3])

def ingest_until(folder, left):
    def kill(*_):
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
    for point in ("before_cursor_execute", "after_cursor_execute", "commit", "rollback"):
        event.listen(Engine, point, kill)
    settings = load_settings(folder / "config.toml", {})
    engine = open_store(settings.storage.database_url)
    models = ModelStore(settings.storage.models_dir)
    services = Services(settings, FixedClock(now), engine, models, open_feed(settings.feed), silent)
    ingest(services, home_calendar(settings, now))

for number in range(400):
    folder = Path(shutil.copytree(template, copies / str(number)))
    child = os.fork()
    if child == 0:
        ingest_until(folder, number)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status):
        sys.exit(os.WEXITSTATUS(status))
sys.exit("it never came to its end")
"""


@pytest.mark.slow
def test_an_ingest_killed_before_and_after_every_statement_leaves_all_or_nothing(
    folder: Path, tmp_path: Path, services_at: ServicesAt
) -> None:
    with services_at(folder, "2021-10-01 20:00") as services:
        take(services)
        before, untold = bars_of(services), events_of(services)
    split(folder, "2021-10-04")
    copies, now = tmp_path / "copies", datetime(2021, 10, 5, 14, 30, tzinfo=UTC)
    copies.mkdir()
    command = [sys.executable, "-c", KILLED, str(folder), str(copies), now.isoformat()]
    subprocess.run(command, check=True, timeout=300, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
    killed = sorted(copies.iterdir(), key=lambda copy: int(copy.name))
    assert len(killed) > 20
    with services_at(folder, "2021-10-05 20:00") as services:
        take(services)
        after, told = bars_of(services), events_of(services)
        assert all(told)
    left = []
    for copy in killed:
        with services_at(copy, "2021-10-05 20:00") as services:
            found = bars_of(services)
            left.append([all(found[name].equals(whole[name]) for name in SYMBOLS) for whole in (before, after)])
            assert events_of(services) == (untold if left[-1][0] else told), copy.name
            take(services)
            assert events_of(services) == told, copy.name
            assert all(frame.equals(after[name]) for name, frame in bars_of(services).items()), copy.name
    assert all(nothing or everything for nothing, everything in left)
    assert [everything for _, everything in left][-1]
    assert any(nothing for nothing, _ in left)


def test_a_locked_database_is_said_in_one_line_and_the_ingest_goes_on_when_it_is_free(
    folder: Path, services_at: ServicesAt
) -> None:
    with services_at(folder, "2021-10-05 20:00") as services:
        path = services.settings.storage.state_dir / "signals.db"
        hurried = open_store(f"sqlite:///{path}?timeout=0.05")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match=r"stayed locked by another program .*; end that program") as said:
                take(replace(services, engine=hurried))
            other.execute("ROLLBACK")
        assert "\n" not in str(said.value)
        assert all(frame.empty for frame in bars_of(services).values())
        assert take(replace(services, engine=hurried)).added > 1000
        hurried.dispose()


@pytest.mark.parametrize("pages", [0, 1, 20])
def test_a_database_that_can_not_grow_is_said_in_one_line_and_the_ingest_goes_on_when_it_can(
    folder: Path, services_at: ServicesAt, pages: int
) -> None:
    with services_at(folder, "2021-10-05 20:00") as services:
        with services.engine.connect() as conn:
            most = (conn.scalar(text("PRAGMA page_count")) or 0) + pages
            conn.execute(text(f"PRAGMA max_page_count = {most}"))
        with pytest.raises(StoreError, match=r"can't grow \(database or disk is full\); free some space") as said:
            take(services)
        assert "\n" not in str(said.value)
        assert all(frame.empty for frame in bars_of(services).values())
        with services.engine.connect() as conn:
            conn.execute(text("PRAGMA max_page_count = 100000"))
        assert take(services).added > 1000
