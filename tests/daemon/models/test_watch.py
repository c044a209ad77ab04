"""Live forecasts that lose more than they said they would are told of once, and halt where that is asked."""

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from loguru import logger
from sqlalchemy import delete, text, update

from daemon.health.judge import Ill
from daemon.health.metrics import write_metrics
from daemon.health.snapshot import take_snapshot
from daemon.models.drift import forecast_shape_in, shape_in
from daemon.models.drift_options import DriftOptions
from daemon.models.watch import watch_live_loss
from daemon.notify.courier import Courier
from daemon.notify.options import NotifyOptions
from daemon.services import Services
from daemon.sessions.caution import caution_for
from daemon.sessions.reconcile import reconcile
from daemon.verifying.verify import verify
from ensemble.forecasts import Forecast
from ensemble.members.fitted import Files
from storage.engine import reading, transaction
from storage.forecast_store import write_forecasts
from storage.model_store import ModelStore
from storage.promotion_tables import live_loss
from storage.rows import insert_rows
from storage.tables import forecasts, outcomes
from storage.watch_store import (
    LiveLoss,
    newest_drift,
    newest_forecast_drift,
    read_live_losses,
    write_drift,
    write_forecast_drift,
    write_live_loss,
)

ServicesAt = Callable[..., AbstractContextManager[Services]]
FIRST = date(2021, 1, 4)


@dataclass
class Older:
    """A store whose version has other files beside its golden input."""

    store: ModelStore
    files: Files

    def manifest(self, model_id: str) -> dict[str, Any]:
        return self.store.manifest(model_id)

    def get_part(self, key: str, digest: str | None = None) -> Files:
        return self.files


def told(services: Services, policy: str) -> Services:
    settings = services.settings.model_copy(
        update={
            "notify": NotifyOptions(urls=("json://127.0.0.1:9",)),
            "drift": DriftOptions.model_validate({"policy": policy, "false_alarm_sessions": 100}),
        }
    )
    return replace(services, settings=settings, courier=Courier(lambda _: None))


def say(services: Services, days: range, *, outcome: int) -> None:
    """A very sure forecast for each of the days, and what came of it; nothing else is known."""
    sessions = [FIRST + timedelta(days=day) for day in days]
    said = [Forecast(session, "AAA.NS", "gap", 0.9, 0.9, "mean", "model", "digest") for session in sessions]
    now = services.clock.now()
    with transaction(services.engine) as conn:
        write_forecasts(conn, "live", said, decided_at=now, late=False, code_version="1")
        rows = [
            {"session": session, "symbol": "AAA.NS", "label": "gap", "outcome": outcome, "resolved_at": now}
            for session in sessions
        ]
        insert_rows(conn, outcomes, rows)


@pytest.fixture
def emptied(copy: Path, services_at: ServicesAt) -> Path:
    """The lived installation without what was forecast."""
    with services_at(copy, "2021-10-05 18:00") as services, transaction(services.engine) as conn:
        for table in (forecasts, outcomes, live_loss):
            conn.execute(delete(table))
    return copy


def watch(services: Services) -> None:
    with transaction(services.engine) as conn:
        watch_live_loss(conn, services)


def found(services: Services) -> list[LiveLoss]:
    with reading(services.engine) as conn:
        return read_live_losses(conn, "gap", newest=100)


def count(services: Services, sql: str) -> Any:
    with reading(services.engine) as conn:
        return conn.scalar(text(sql))


def test_each_decision_says_how_far_its_features_are_from_what_was_learnt_from(
    copy: Path, services_at: ServicesAt
) -> None:
    with services_at(copy, "2021-10-05 18:00") as services:
        assert count(services, "SELECT count(*) FROM feature_drift") == 6
        with reading(services.engine) as conn:
            newest = newest_drift(conn)
        assert newest is not None
        assert (newest.session, newest.model_id[:7], len(newest.furthest)) == (date(2021, 10, 5), "2021-10", 3)
        shape = shape_in(services.models, newest.model_id)
        assert shape is not None
        assert newest.most_usual == shape.usual.max()
        moved = replace(newest, session=date(2021, 10, 6), drift_index=99.0)
        with transaction(services.engine) as conn:
            write_drift(conn, moved)
            write_drift(conn, replace(moved, drift_index=0.0))  # a second try at the same session
        (finding,) = (one for one in take_snapshot(services).health.findings if one.ill is Ill.FEATURE_DRIFT)
        assert "features of the 30 sessions to 2021-10-06 are 99.00 from what" in finding.text


def test_once_thirty_sessions_are_forecast_each_decision_says_how_far_they_are_from_what_the_speaker_used_to_say(
    copy: Path, services_at: ServicesAt
) -> None:
    with services_at(copy, "2021-10-06 08:50") as services:
        assert count(services, "SELECT count(*) FROM forecast_drift") == 0
        say(services, range(30), outcome=1)  # always the same, and very sure
        reconcile(services)
        with reading(services.engine) as conn:
            newest, none = newest_forecast_drift(conn, "gap"), newest_forecast_drift(conn, "barrier")
        assert (newest is not None, none) == (True, None)
        assert newest is not None
        model_id = count(services, "SELECT DISTINCT model_id FROM forecasts WHERE session = '2021-10-06'")
        assert (newest.session, newest.model_id) == (date(2021, 10, 6), model_id)
        shape = forecast_shape_in(services.models, model_id, "gap")
        assert shape is not None
        assert newest.limit_distance == shape.limit(services.settings.drift.false_alarm_sessions)
        assert newest.distance > newest.limit_distance
        with transaction(services.engine) as conn:
            write_forecast_drift(conn, replace(newest, distance=0.0))  # a second try at the same session
        shot = take_snapshot(services)
        (finding,) = (one for one in shot.health.findings if one.ill is Ill.FORECAST_DRIFT)
        assert "forecasts of gap of the 30 sessions to 2021-10-06" in finding.text
        write_metrics(shot, services.settings)
        ratio = newest.distance / newest.limit_distance
        assert f"reliance_daemon_forecast_drift_ratio {ratio}\n" in (copy / "state" / "metrics.prom").read_text()


def test_a_version_from_before_there_was_a_shape_of_forecasts_has_none(copy: Path, services_at: ServicesAt) -> None:
    with services_at(copy, "2021-10-06 08:50") as services:
        model_id = count(services, "SELECT max(model_id) FROM models")
        store = services.models
        key = store.manifest(model_id)["golden"]
        old = {name: content for name, content in store.get_part(key).items() if name != "forecasts.npz"}
        assert forecast_shape_in(Older(store, old), model_id, "gap") is None  # type: ignore[arg-type]
        assert shape_in(Older(store, old), model_id) is not None  # type: ignore[arg-type]


def test_each_settlement_leaves_a_row_once(copy: Path, services_at: ServicesAt) -> None:
    with services_at(copy, "2021-10-05 18:00") as services:
        newest, *before = found(services)
        assert (newest.session, newest.sessions, newest.alarm) == (date(2021, 10, 5), 6, False)
        assert len(before) == 5
        watch(services)
        assert len(found(services)) == 6


class _Killed(BaseException):
    """Nothing that is caught anywhere."""


def _dies(line: str) -> None:
    if line.startswith("settle "):
        raise _Killed


def test_a_kill_right_after_a_settlements_commit_leaves_its_row(copy: Path, services_at: ServicesAt) -> None:
    with services_at(copy, "2021-10-06 08:50") as services:
        reconcile(services)
    with services_at(copy, "2021-10-06 17:00") as services:
        dying = logger.add(_dies, format="{message}", catch=False)
        try:
            with pytest.raises(_Killed):
                reconcile(services)
        finally:
            logger.remove(dying)
        assert found(services)[0].session == date(2021, 10, 6)


@pytest.mark.parametrize(("policy", "ills"), [("warn", {Ill.LIVE_LOSS}), ("hold", {Ill.LIVE_LOSS, Ill.HALTED})])
def test_forecasts_that_are_sure_and_wrong_are_told_of_once_and_hold_where_that_is_asked(
    policy: str, ills: set[Ill], emptied: Path, services_at: ServicesAt
) -> None:
    with services_at(emptied, "2021-10-05 18:00") as plain:
        services = told(plain, policy)
        say(services, range(5), outcome=0)
        watch(services)
        (alarm,) = found(services)
        assert alarm.alarm
        assert alarm.excess > 1.5
        assert {one.ill for one in take_snapshot(services).health.findings} - {Ill.STAND_IN} == ills
        say(services, range(5, 30), outcome=1)
        watch(services)
        assert [one.alarm for one in found(services)] == [False, True]
        assert count(services, "SELECT count(*) FROM outbox WHERE kind = 'model'") == 1
        held = count(services, "SELECT count(*) FROM account_events WHERE reason = 'KILL_SWITCH'")
        assert held == (policy == "hold")


def decided(folder: Path, services_at: ServicesAt, policy: str) -> tuple[Any, ...]:
    """What is decided about the first session after an alarm in which something is bought; verified afterwards."""
    config = folder / "config.toml"
    config.write_text(f'{config.read_text()}\n[drift]\npolicy = "{policy}"\n')
    with services_at(folder, "2021-10-05 18:00") as services, transaction(services.engine) as conn:
        conn.execute(update(live_loss).where(live_loss.c.session == date(2021, 10, 5)).values(alarm=True))
    with services_at(folder, "2021-10-11 08:50") as services:
        reconcile(services)
        assert verify(services, since=date(2021, 10, 6)).passes(allow_unreplayed=False)
        with reading(services.engine) as conn:
            row = conn.execute(
                text(
                    "SELECT action, quantity, reasons, detail FROM signals JOIN runs USING (session, origin) "
                    "WHERE session = '2021-10-11' AND kind = 'decide'"
                )
            ).one()
    return tuple(row)


@pytest.mark.slow
def test_after_an_alarm_more_is_asked_or_less_is_risked_and_verify_finds_the_same(
    copy: Path, services_at: ServicesAt, tmp_path: Path
) -> None:
    folders = {name: Path(shutil.copytree(copy, tmp_path / name)) for name in ("warn", "raise", "halve")}
    found = {name: decided(folder, services_at, name) for name, folder in folders.items()}
    action, quantity, _, detail = found["warn"]
    assert (action, "alarm" in detail) == ("BUY", False)
    action, half, _, detail = found["halve"]
    assert (action, abs(half - quantity / 2) < 2) == ("BUY", True)
    assert "half the size since the alarm of 2021-10-05" in detail
    action, nothing, reasons, detail = found["raise"]
    assert (action, nothing, reasons) == ("HOLD", 0, '["BELOW_CONFIDENCE"]')
    assert "surer forecasts asked since the alarm of 2021-10-05" in detail


def test_care_ends_twenty_sessions_after_the_alarm_and_knows_no_later_one(copy: Path, services_at: ServicesAt) -> None:
    with services_at(copy, "2021-10-05 18:00") as services:
        settings = services.settings.model_copy(update={"drift": DriftOptions(policy="halve")})
        alarm = replace(found(services)[0], alarm=True)
        now = alarm.watched_at
        with transaction(services.engine) as conn:
            conn.execute(delete(live_loss))
            for day in range(25):
                at = now + timedelta(days=day)
                write_live_loss(
                    conn, replace(alarm, session=FIRST + timedelta(days=day), alarm=day == 2, watched_at=at)
                )
            careful = [
                caution_for(conn, settings, FIRST + timedelta(days=day), decided_at=now + timedelta(days=day - 0.5))
                for day in range(25)
            ]
    assert [day for day, one in enumerate(careful) if one.line] == list(range(3, 23))
    assert {one.limits.position_pct for one in careful if one.line} == {settings.risk.position_pct / 2}


def test_forecasts_that_come_true_raise_nothing(emptied: Path, services_at: ServicesAt) -> None:
    with services_at(emptied, "2021-10-05 18:00") as plain:
        services = told(plain, "hold")
        say(services, range(40), outcome=1)
        watch(services)
        (calm,) = found(services)
        assert (calm.alarm, calm.excess < 0) == (False, True)
        assert Ill.LIVE_LOSS not in {one.ill for one in take_snapshot(services).health.findings}
