"""The guards at work live, a process a step, and in a backtest: the same."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from daemon.backtests.backtest import backtest
from daemon.services import Services
from daemon.sessions.reconcile import reconcile
from storage.engine import reading, transaction
from storage.schema import METADATA

ServicesAt = Callable[..., AbstractContextManager[Services]]
AHEAD = ("2021-10-06", "2021-10-07", "2021-10-08", "2021-10-11", "2021-10-12", "2021-10-13", "2021-10-14")
STRICT = """
max_drawdown_pct = 0.1
halt_sessions = 2
cool_down_sessions = 2
max_daily_loss_pct = 0.1
"""


def rows(engine: Engine, name: str, origin: str) -> list[tuple[Any, ...]]:
    columns = [column.name for column in METADATA.tables[name].columns if column.name not in ("origin", "decided_at")]
    with reading(engine) as conn:
        found = conn.execute(text(f"SELECT {', '.join(columns)} FROM {name} WHERE origin = :of"), {"of": origin})
        return sorted(map(tuple, found), key=repr)


def test_the_guards_outlive_every_restart_and_hold_in_a_backtest_too(copy: Path, services_at: ServicesAt) -> None:
    config = copy / "config.toml"
    config.write_text(config.read_text() + STRICT)
    with services_at(copy, "2021-10-05 20:00") as services, transaction(services.engine) as conn:
        for kept in METADATA.sorted_tables:
            if "origin" in kept.columns:
                conn.execute(kept.delete())
    for session in AHEAD:
        for moment in ("08:50", "17:00"):
            with services_at(copy, f"{session} {moment}") as services:
                reconcile(services)
    with services_at(copy, "2021-12-31 20:00") as services:
        backtest(services, first=date.fromisoformat(AHEAD[0]), last=date.fromisoformat(AHEAD[-1]))
        for name in ("signals", "account", "account_events", "positions", "trades"):
            assert rows(services.engine, name, "live") == rows(services.engine, name, "backtest"), name
        with reading(services.engine) as conn:
            halts = set(conn.scalars(text("SELECT reason FROM account_events WHERE kind = 'HALTED'")))
            reasons = set(conn.scalars(text("SELECT reasons FROM signals WHERE action = 'HOLD'")))
    assert {"DRAWDOWN_HALT", "DAILY_LOSS"} <= halts
    assert any("DRAWDOWN_HALT" in words for words in reasons)
