"""With feed.confirm_min a young bar is believed once two reads of it were equal; an older one at once."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import text

from daemon.bars.ingest import ingest
from daemon.clock import FixedClock
from daemon.services import Services
from daemon.sessions.desk import home_calendar
from daemon.sessions.reconcile import reconcile
from storage.bar_store import read_bars
from storage.engine import reading

ServicesAt = Callable[..., AbstractContextManager[Services]]
DAY = "2021-10-06"  # ended 15:30, final from 16:30 on, and with confirm_min = 120 old enough at 18:30


def revise(folder: Path, by: float) -> None:
    """The feed gives another close for the newest session, and that of no other."""
    path = folder / "bars" / "AAA.NS.csv"
    bars = pd.read_csv(path)
    bars.loc[bars["Date"] == DAY, ["Close", "High", "Adj Close"]] *= by
    bars.to_csv(path, index=False)


@pytest.fixture
def careful(copy: Path, services_at: ServicesAt) -> Iterator[Services]:
    with services_at(copy, f"{DAY} 16:30") as services:
        feed = services.settings.feed.model_copy(update={"confirm_min": 120})
        yield replace(services, settings=services.settings.model_copy(update={"feed": feed}))


def known(services: Services, clock: str) -> float | None:
    """The close of the session after a read at that time; None where it is not believed."""
    instant = pd.Timestamp(f"{DAY} {clock}", tz="Asia/Kolkata").to_pydatetime()
    services = replace(services, clock=FixedClock(instant))
    ingest(services, home_calendar(services.settings, services.clock.now()))
    with reading(services.engine) as conn:
        closes = read_bars(conn, ["AAA.NS"])["AAA.NS"]["close"]
    return float(closes[DAY]) if pd.Timestamp(DAY) in closes.index else None


def waiting(services: Services) -> int:
    with reading(services.engine) as conn:
        return int(conn.scalar(text("SELECT count(*) FROM first_reads WHERE symbol = 'AAA.NS'")) or 0)


def test_a_young_bar_waits_for_a_second_equal_read_some_time_later(careful: Services) -> None:
    assert [known(careful, clock) is None for clock in ("16:30", "16:39", "16:40")] == [True, True, False]
    assert waiting(careful) == 0


def test_a_read_that_differs_counts_as_the_first_one(careful: Services, copy: Path) -> None:
    assert known(careful, "16:30") is None
    revise(copy, 1.001)
    assert known(careful, "16:45") is None
    assert (known(careful, "16:54") is None, waiting(careful)) == (True, 1)
    assert known(careful, "16:55") is not None


def test_an_old_bar_is_believed_at_once_and_nothing_waits_any_more(careful: Services) -> None:
    assert known(careful, "18:29") is None
    assert known(careful, "18:30") is not None
    assert waiting(careful) == 0


def test_a_young_bar_that_was_believed_is_corrected_by_two_equal_reads_too(careful: Services, copy: Path) -> None:
    known(careful, "16:30")
    first = known(careful, "16:40")
    assert first is not None
    revise(copy, 1.001)
    assert known(careful, "16:50") == first
    assert known(careful, "17:00") == pytest.approx(1.001 * first)


def test_nothing_waits_where_nobody_asks_for_it(copy: Path, services_at: ServicesAt) -> None:
    with services_at(copy, f"{DAY} 16:30") as services:
        assert known(services, "16:30") is not None
        assert waiting(services) == 0


def test_a_session_is_settled_once_its_bar_is_confirmed(careful: Services) -> None:
    def settled(clock: str) -> list[str]:
        instant = pd.Timestamp(f"{DAY} {clock}", tz="Asia/Kolkata").to_pydatetime()
        done = reconcile(replace(careful, clock=FixedClock(instant))).done
        return [f"{task.kind} {task.session:%Y-%m-%d}" for task in done]

    assert settled("08:50") == [f"decide {DAY}"]
    assert settled("16:30") == []
    assert settled("16:45") == [f"settle {DAY}"]
