"""One traded symbol that fails delays the decisions a little, and stops none."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import text

from daemon.bars.ingest import ingest
from daemon.services import Services
from daemon.sessions.desk import home_calendar
from daemon.sessions.reconcile import reconcile
from storage.bar_store import newest_sessions
from storage.engine import reading
from storage.feeds import FeedError

ServicesAt = Callable[..., AbstractContextManager[Services]]


@pytest.fixture
def folder(tmp_path: Path, write_installation: Callable[[Path], Path]) -> Path:
    """An installation that trades two symbols, of which one lost its file."""
    folder = write_installation(tmp_path)
    config = folder / "config.toml"
    traded = config.read_text().replace('symbols = ["AAA.NS"]\npeers = ["BBB.NS"]', 'symbols = ["AAA.NS", "BBB.NS"]')
    config.write_text(traded.replace("context = {", "peers = []\ncontext = {"))
    (folder / "bars" / "BBB.NS.csv").rename(folder / "BBB.NS.csv")
    return folder


def test_the_others_bars_are_kept_and_the_error_says_how_long_it_is_tried(
    folder: Path, services_at: ServicesAt
) -> None:
    with services_at(folder, "2021-10-06 08:50") as services:
        calendar = home_calendar(services.settings, services.clock.now())
        with pytest.raises(FeedError, match=r"holds no file BBB\.NS\.csv .* Until 15 minutes before the open"):
            ingest(services, calendar)
        with reading(services.engine) as conn:
            newest = newest_sessions(conn)
        assert newest["AAA.NS"] == pd.Timestamp("2021-10-05")
        assert "BBB.NS" not in newest


def test_a_quarter_before_the_open_the_others_are_decided_and_the_lost_one_is_held(
    folder: Path, services_at: ServicesAt, lines: list[str]
) -> None:
    with services_at(folder, "2021-10-06 09:00") as services:
        assert [task.kind for task in reconcile(services).done] == ["decide"]
        with reading(services.engine) as conn:
            rows = {row.symbol: row.reasons for row in conn.execute(text("SELECT symbol, reasons FROM signals"))}
    assert set(rows) == {"AAA.NS", "BBB.NS"}
    assert "NO_FORECAST" in rows["BBB.NS"]
    assert "NO_FORECAST" not in rows["AAA.NS"]
    assert any("BBB.NS.csv" in line for line in lines)


def test_when_it_is_back_its_bars_are_read_from_the_beginning(folder: Path, services_at: ServicesAt) -> None:
    with services_at(folder, "2021-10-06 09:00") as services:
        ingest(services, home_calendar(services.settings, services.clock.now()))
    (folder / "BBB.NS.csv").rename(folder / "bars" / "BBB.NS.csv")
    with services_at(folder, "2021-10-06 09:01") as services:
        report = ingest(services, home_calendar(services.settings, services.clock.now()))
    assert report.failed == {}
    assert report.added > 900


def test_when_every_traded_symbol_fails_nothing_is_written_at_any_hour(folder: Path, services_at: ServicesAt) -> None:
    (folder / "bars" / "AAA.NS.csv").unlink()
    with services_at(folder, "2021-10-06 09:10") as services:
        with pytest.raises(FeedError, match=r"AAA\.NS"):
            ingest(services, home_calendar(services.settings, services.clock.now()))
        with reading(services.engine) as conn:
            assert newest_sessions(conn) == {}
