import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from daemon.cli import app
from daemon.services import Services
from storage.bar_store import read_bars, write_bars
from storage.engine import reading, transaction
from storage.refusals import write_quarantine

ServicesAt = Callable[..., AbstractContextManager[Services]]
FAR = {"open": 200.0, "high": 202.0, "low": 199.0, "close": 201.0, "adj_close": 201.0, "volume": 1000.0}


def call(folder: Path, *words: str) -> str:
    arguments = ["--config", str(folder / "config.toml"), "bars", "quarantine", *words]
    return CliRunner().invoke(app, arguments, catch_exceptions=False).stdout


def test_a_refused_bar_is_listed_accepted_with_a_note_and_read_from_then_on(
    copy: Path, services_at: ServicesAt
) -> None:
    row = {"session": pd.Timestamp("2021-10-02"), "reason": "bad_tick"} | FAR
    with services_at(copy, "2021-10-05 20:00") as services:
        with transaction(services.engine) as conn:
            write_quarantine(conn, "AAA.NS", pd.DataFrame([row]), seen_at=datetime(2021, 10, 5, tzinfo=UTC))
        (one,) = json.loads(call(copy, "list", "--json"))
        assert "bad_tick" in call(copy, "list")
        assert call(copy, "accept", str(one["id"]), "--note", "seen elsewhere").startswith("accepted: bar")
        (decided,) = json.loads(call(copy, "list", "--all", "--json"))
        with reading(services.engine) as conn:
            bars = read_bars(conn, ["AAA.NS"])["AAA.NS"]
    assert (decided["verdict"], decided["note"]) == ("accepted", "seen elsewhere")
    assert decided["decided_by"]
    assert bars.loc["2021-10-02", "close"] == 201.0
    assert json.loads(call(copy, "list", "--json")) == []


def test_a_verdict_while_the_daemon_is_stopped_leaves_the_groups_readers_what_they_need(
    copy: Path, services_at: ServicesAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"session": pd.Timestamp("2021-10-02"), "reason": "bad_tick"} | FAR
    with services_at(copy, "2021-10-05 20:00") as services, transaction(services.engine) as conn:
        write_quarantine(conn, "AAA.NS", pd.DataFrame([row]), seen_at=datetime(2021, 10, 5, tzinfo=UTC))
    monkeypatch.setenv("RELIANCE_DAEMON__STORAGE__GROUP_READ", "true")
    assert call(copy, "reject", "1").startswith("rejected: bar")
    assert len(list((copy / "state").glob("signals.db*"))) == 3


def test_bars_are_shown_as_they_were_known_on_a_day(copy: Path, services_at: ServicesAt) -> None:
    def known_on(day: str) -> list[dict[str, object]]:
        words = ["--config", str(copy / "config.toml"), "bars", "as-of", day, "AAA.NS", "--last", "2", "--json"]
        rows: list[dict[str, object]] = json.loads(CliRunner().invoke(app, words, catch_exceptions=False).stdout)
        return rows

    assert known_on("2021-09-27") == []  # the installation had not begun
    (before, newest) = known_on("2021-09-29")
    assert (before["session"], newest["session"]) == ("2021-09-28", "2021-09-29")
    with services_at(copy, "2021-10-06 20:00") as services, transaction(services.engine) as conn:
        bars = read_bars(conn, ["AAA.NS"])["AAA.NS"].loc["2021-09-29":"2021-09-29"]
        revised = bars.assign(close=bars["close"] * 1.0001)
        write_bars(conn, "AAA.NS", revised, seen_at=datetime(2021, 10, 6, 15, tzinfo=UTC), provider="test")
    assert known_on("2021-09-29") == [before, newest]
