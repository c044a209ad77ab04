import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
from typer.testing import CliRunner

from daemon.cli import app
from daemon.services import Services
from storage.bar_store import read_bars, write_quarantine
from storage.engine import reading, transaction

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
