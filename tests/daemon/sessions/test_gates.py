"""Whatever the gate, what is lived session by session and what a backtest makes of it are the same rows."""

import json
import re
import shutil
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Engine, text

from daemon.backtests.backtest import backtest
from daemon.console.display import show_signals
from daemon.services import Services
from daemon.sessions.reconcile import reconcile
from storage.engine import reading

ServicesAt = Callable[..., AbstractContextManager[Services]]
AFTERWARDS = "2021-12-31 20:00"
RANGE = {"first": date(2021, 9, 28), "last": date(2021, 10, 5)}
COMPARED = ("forecasts", "signals", "account", "trades", "positions")
PLAIN = "min_confidence = 0.5"
WORTH = 'gate = "expected_value"\nmin_expected_value_bp = -200'
LONGER = {"gate_months = 1": "gate_months = 4"}
"""Two months are too few forecasts of either side."""
GATES = {
    "coverage": ({PLAIN: 'gate = "coverage"\ncoverage_pct = 60'}, {"BELOW_COVERAGE", "AMONG_SUREST"}),
    # Two months are too few forecasts of either side.
    "expected value": (
        {PLAIN: WORTH, "gate_months = 1": "gate_months = 4"},
        {"ALREADY_HELD", "WORTH_ITS_COST"},
    ),
    "disagreement": ({PLAIN: f"{PLAIN}\nmax_disagreement = 0.2"}, {"CONFIDENT", "DISAGREEMENT"}),
}
"""What is changed in the configuration, and reasons that it must bring about."""


def configure(folder: Path, changes: Mapping[str, str]) -> None:
    config = folder / "config.toml"
    for old, new in changes.items():
        assert old in config.read_text()
        config.write_text(config.read_text().replace(old, new))


def table(engine: Engine, name: str, origin: str) -> pd.DataFrame:
    """The rows of one origin without the columns that say when and by whom they were written."""
    with reading(engine) as conn:
        frame = pd.read_sql(text(f"SELECT * FROM {name} WHERE origin = :origin"), conn, params={"origin": origin})
    return frame.drop(columns=[column for column in ("origin", "decided_at") if column in frame])


@pytest.fixture(scope="module", params=list(GATES.values()), ids=list(GATES))
def lived_by_gate(
    request: Any,
    lived: Path,
    sessions: tuple[str, ...],
    services_at: ServicesAt,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, set[str]]:
    """An installation that lived through the same sessions with another gate; the models were trained already."""
    folder = Path(shutil.copytree(lived, tmp_path_factory.mktemp("gate") / "lived"))
    for path in (folder / "state").glob("signals.db*"):
        path.unlink()
    changes, expected = request.param
    configure(folder, changes)
    for session in sessions:
        for moment in ("08:50", "17:00"):
            with services_at(folder, f"{session} {moment}") as services:
                reconcile(services)
    return folder, expected


def test_the_backtest_equals_what_was_lived_row_by_row(
    lived_by_gate: tuple[Path, set[str]], sessions: tuple[str, ...], services_at: ServicesAt
) -> None:
    folder, expected = lived_by_gate
    with services_at(folder, AFTERWARDS) as services:
        backtest(services, **RANGE)
        for name in COMPARED:
            live, replayed = table(services.engine, name, "live"), table(services.engine, name, "backtest")
            pd.testing.assert_frame_equal(live, replayed)
        signals = table(services.engine, "signals", "live")
    assert signals["session"].tolist() == list(sessions)
    assert expected <= {reason for kept in signals["reasons"] for reason in json.loads(kept)}
    assert signals["expected_value_bp"].notna().any() == ("WORTH_ITS_COST" in expected)


def test_what_a_trade_is_worth_is_told_where_the_gate_asks(
    lived_by_gate: tuple[Path, set[str]], services_at: ServicesAt, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, expected = lived_by_gate
    asked = "WORTH_ITS_COST" in expected
    with services_at(folder, AFTERWARDS) as services, reading(services.engine) as conn:
        details = conn.scalars(text("SELECT detail FROM runs WHERE kind = 'decide' AND origin = 'live'")).all()
        show_signals(services.engine, None, as_json=False)
    assert all(bool(re.search(r" at 0\.\d\d, worth -?\d+\.\d bp \(", detail)) == asked for detail in details)
    assert ("worth, bp" in capsys.readouterr().out) == asked
