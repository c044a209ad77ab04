"""A bar that was believed and turns out to be false is withdrawn: from then on, never before, and not for good."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from daemon.bars.ingest import IngestReport, ingest
from daemon.cli import app
from daemon.services import Services
from daemon.sessions.desk import home_calendar
from daemon.sessions.reconcile import reconcile
from daemon.verifying.verify import verify
from storage.bar_store import Withdrawn, newest_of, newest_sessions, read_bars, read_withdrawn
from storage.engine import reading, transaction
from storage.quarantine_store import Decision, decide, read_quarantine

ServicesAt = Callable[..., AbstractContextManager[Services]]
PRICES = ["Open", "High", "Low", "Close", "Adj Close"]
FALSE = date(2021, 10, 6)
SEEN, DOUBTED, LATER = "2021-10-06 20:00", "2021-10-07 20:00", "2021-10-08 20:00"


def rewrite(folder: Path, change: Callable[[pd.DataFrame], pd.DataFrame], name: str = "AAA.NS") -> None:
    path = folder / "bars" / f"{name}.csv"
    change(pd.read_csv(path, index_col="Date", parse_dates=True)).to_csv(path, date_format="%Y-%m-%d")


def ticked(bars: pd.DataFrame, by: float = 1.3) -> pd.DataFrame:
    """The close of the false session as it never was; the next session opens as if nothing had been."""
    for name in ("Close", "Adj Close", "High"):
        bars[name] = bars[name].mask(bars.index == pd.Timestamp(FALSE), bars["Open"] * by)
    return bars


def halved(bars: pd.DataFrame) -> pd.DataFrame:
    """Two shares for each."""
    bars[PRICES] /= 2
    return bars


def accept(folder: Path, services_at: ServicesAt) -> None:
    """A person believes the false bar, the morning after it was withdrawn."""
    with services_at(folder, "2021-10-08 09:00") as services, transaction(services.engine) as conn:
        (refused,) = [one for one in read_quarantine(conn, symbol="AAA.NS") if one.session == FALSE]
        decide(conn, refused.id, Decision("accepted", "ann", "it was so", services.clock.now()), complete=True)


def take(services: Services) -> IngestReport:
    return ingest(services, home_calendar(services.settings, services.clock.now()))


def stored(services: Services, known_at: str | None = None) -> pd.DataFrame:
    instant = None if known_at is None else pd.Timestamp(known_at, tz="Asia/Kolkata").to_pydatetime()
    with reading(services.engine) as conn:
        return read_bars(conn, ["AAA.NS"], known_at=instant)["AAA.NS"]


def call(folder: Path, *words: str) -> str:
    return CliRunner().invoke(app, ["--config", str(folder / "config.toml"), *words], catch_exceptions=False).stdout


@pytest.fixture
def doubted(copy: Path, services_at: ServicesAt) -> Path:
    """The lived installation with a false close that was believed for a day."""
    rewrite(copy, ticked)
    for moment in (SEEN, DOUBTED):
        with services_at(copy, moment) as services:
            take(services)
    return copy


def test_a_bar_that_is_refused_later_is_known_until_then_and_never_after(
    doubted: Path, services_at: ServicesAt
) -> None:
    day = pd.Timestamp(FALSE)
    with services_at(doubted, LATER) as services:
        assert day in stored(services, SEEN).index
        assert day not in stored(services, DOUBTED).index
        assert day not in stored(services).index
        again = take(services)
        with reading(services.engine) as conn:
            (one,) = read_withdrawn(conn, "AAA.NS")
            assert read_withdrawn(conn, "AAA.NS", known_at=datetime(2021, 10, 7, tzinfo=UTC)) == []
    assert again.withdrawn == 0
    assert one == Withdrawn(FALSE, datetime(2021, 10, 7, 14, 30, tzinfo=UTC), "bad_tick")


def test_show_and_as_of_say_which_bars_were_withdrawn_and_why(doubted: Path) -> None:
    now = json.loads(call(doubted, "bars", "show", "AAA.NS", "--from", "2021-10-05", "--json"))
    assert [row["session"] for row in now] == ["2021-10-05", "2021-10-06", "2021-10-07"]
    assert now[1] == dict.fromkeys(("open", "high", "low", "close", "adj_close", "volume")) | {
        "session": "2021-10-06",
        "withdrawn": "bad_tick, 2021-10-07 14:30Z",
    }
    assert "withdrawn" in call(doubted, "bars", "as-of", "2021-10-07", "AAA.NS", "--last", "2")
    before = json.loads(call(doubted, "bars", "as-of", "2021-10-06", "AAA.NS", "--last", "1", "--json"))
    assert before[0]["close"] > 0


def test_a_withdrawn_bar_is_brought_back_by_a_person_and_then_stays(doubted: Path, services_at: ServicesAt) -> None:
    day = pd.Timestamp(FALSE)
    accept(doubted, services_at)
    with services_at(doubted, LATER) as services:
        assert day in stored(services).index
        assert take(services).withdrawn == 0
        assert day in stored(services).index
        assert day not in stored(services, DOUBTED).index


def test_a_rejected_bar_stays_out_after_a_dividend_and_is_kept_once(doubted: Path, services_at: ServicesAt) -> None:
    def yielded(bars: pd.DataFrame) -> pd.DataFrame:
        return bars.assign(**{"Adj Close": bars["Adj Close"] * 0.98})

    with services_at(doubted, "2021-10-08 09:00") as services, transaction(services.engine) as conn:
        (refused,) = [one for one in read_quarantine(conn, symbol="AAA.NS") if one.session == FALSE]
        decide(conn, refused.id, Decision("rejected", "ann", "never", services.clock.now()), complete=True)
    rewrite(doubted, yielded)
    with services_at(doubted, LATER) as services:
        report = take(services)
        assert report.changed > 0
        assert report.refused == 0
        assert pd.Timestamp(FALSE) not in stored(services).index


def test_an_accepted_bar_follows_a_split_of_its_history(doubted: Path, services_at: ServicesAt) -> None:
    accept(doubted, services_at)
    rewrite(doubted, halved)
    with services_at(doubted, LATER) as services:
        before = stored(services)["close"].loc["2021-10-05":"2021-10-07"]
        take(services)
        assert (stored(services)["close"].loc["2021-10-05":"2021-10-07"] / before).tolist() == pytest.approx([0.5] * 3)


def test_a_bar_that_is_refused_as_its_history_is_restated_is_withdrawn(copy: Path, services_at: ServicesAt) -> None:
    rewrite(copy, ticked)
    with services_at(copy, SEEN) as services:
        take(services)
    rewrite(copy, halved)
    with services_at(copy, DOUBTED) as services:
        assert take(services).withdrawn == 1
        assert pd.Timestamp(FALSE) not in stored(services).index


def test_a_feed_that_spoils_a_bar_later_takes_nothing_from_the_store(copy: Path, services_at: ServicesAt) -> None:
    with services_at(copy, SEEN) as services:
        take(services)
        before = stored(services).loc[: str(FALSE)]
    rewrite(copy, ticked)
    with services_at(copy, DOUBTED) as services:
        assert take(services).withdrawn == 0
        pd.testing.assert_frame_equal(stored(services).loc[: str(FALSE)], before)


def test_a_stored_bar_that_the_feed_spoils_as_it_restates_the_history_follows_it(
    copy: Path, services_at: ServicesAt
) -> None:
    with services_at(copy, DOUBTED) as services:
        take(services)
        before = stored(services)["close"]
    rewrite(copy, lambda bars: halved(ticked(bars)))
    with services_at(copy, LATER) as services:
        assert take(services).withdrawn == 0
        after = stored(services)["close"].reindex(before.index)
    assert (after / before).tolist() == pytest.approx([0.5] * len(before))


def test_a_refused_bar_stays_refused_when_it_is_the_first_of_those_that_are_read_again(
    copy: Path, services_at: ServicesAt
) -> None:
    def copied(bars: pd.DataFrame) -> pd.DataFrame:
        """The session after it is the same bar to the last digit, as feeds fill holidays."""
        bars.loc[pd.Timestamp("2021-11-01")] = bars.loc[pd.Timestamp("2021-10-29")]
        return bars

    rewrite(copy, copied)
    for moment in ("2021-11-08 20:00", "2021-12-31 19:00", "2021-12-31 20:00"):
        with services_at(copy, moment) as services:
            take(services)
            assert pd.Timestamp("2021-10-29") in stored(services).index
            assert pd.Timestamp("2021-11-01") not in stored(services).index


def test_the_newest_session_is_that_of_the_newest_bar_that_is_believed(doubted: Path, services_at: ServicesAt) -> None:
    with services_at(doubted, LATER) as services:
        with services.engine.begin() as conn:
            conn.execute(text("UPDATE bars SET withdrawn = 'x' WHERE session = '2021-10-07' AND symbol = 'AAA.NS'"))
        with reading(services.engine) as conn:
            assert newest_sessions(conn)["AAA.NS"] == pd.Timestamp("2021-10-05")
            assert newest_of(conn, ["AAA.NS"])["AAA.NS"].provider == "files"


@pytest.mark.slow
def test_what_was_decided_by_a_bar_that_was_withdrawn_is_verified_all_the_same(
    copy: Path, services_at: ServicesAt
) -> None:
    rewrite(copy, ticked)
    for moment in ("06 17:00", "07 08:50", "07 17:00", "08 08:50", "08 17:00"):
        with services_at(copy, f"2021-10-{moment}") as services:
            reconcile(services)
    with services_at(copy, "2021-10-31 20:00") as services:
        with reading(services.engine) as conn:
            assert [one.session for one in read_withdrawn(conn, "AAA.NS")] == [FALSE]
        found = verify(services, since=date(2021, 9, 28))
    assert found.passes(allow_unreplayed=False)
