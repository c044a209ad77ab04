"""After an alarm of the live losses a version is made within its month, once; the policy says what becomes of it."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import update
from typer.testing import CliRunner

from daemon.cli import app
from daemon.config.settings import load_settings
from daemon.models.drift_options import DriftOptions
from daemon.models.early import Early, early_due
from daemon.services import Services
from daemon.sessions.desk import home_calendar, open_desk
from daemon.sessions.reconcile import reconcile
from daemon.verifying.verify import verify
from storage.engine import reading, transaction
from storage.model_index import read_models
from storage.promotion_tables import live_loss
from storage.sqlite_file import opened

ServicesAt = Callable[..., AbstractContextManager[Services]]
ALARM, NEXT = "2021-10-05", "2021-10-06"


def rows(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    with opened(folder / "state" / "signals.db") as database:
        return database.execute(sql).fetchall()


def alarmed(folder: Path, *, policy: str = "newest") -> Path:
    """Where an alarm rang on ALARM and another version is made for it."""
    config = folder / "config.toml"
    config.write_text(f'{config.read_text()}\n[drift]\nearly_retrain = true\n[promotion]\npolicy = "{policy}"\n')
    ring(folder, ALARM)
    return folder


def ring(folder: Path, session: str) -> None:
    with opened(folder / "state" / "signals.db", mode="rw") as database:
        database.execute("UPDATE live_loss SET alarm = 1 WHERE session = ?", [session])


def live(folder: Path, services_at: ServicesAt, *moments: str) -> None:
    for moment in moments:
        with services_at(folder, moment) as services:
            reconcile(services)


def speakers(folder: Path) -> dict[str, str]:
    return dict(rows(folder, "SELECT DISTINCT session, model_id FROM forecasts WHERE origin = 'live'"))


def early_version(folder: Path) -> str:
    ((model_id,),) = rows(folder, "SELECT model_id FROM models WHERE json_extract(manifest, '$.early') IS NOT NULL")
    return str(model_id)


def october(folder: Path) -> str:
    ((model_id,),) = rows(
        folder, "SELECT model_id FROM models WHERE month = '2021-10' AND json_extract(manifest, '$.early') IS NULL"
    )
    return str(model_id)


def test_one_is_due_after_an_alarm_that_the_version_of_the_month_knew_nothing_of(
    copy: Path, services_at: ServicesAt
) -> None:
    hour = timedelta(hours=1)
    found = Early(date(2021, 10, 6), date(2021, 10, 5))
    later = Early(date(2021, 10, 20), date(2021, 10, 5))
    with services_at(alarmed(copy), f"{NEXT} 08:50") as services:
        settings, recipe = services.settings, services.recipe().digest()
        with reading(services.engine) as conn:
            made = read_models(conn)[0].created_at

        def due(session: str, rang_at: datetime, drift: DriftOptions = settings.drift) -> Early | None:
            changed = settings.model_copy(update={"drift": drift})
            with transaction(services.engine) as conn:
                conn.execute(update(live_loss).where(live_loss.c.alarm).values(watched_at=rang_at))
                return early_due(conn, changed, pd.Timestamp(session), recipe=recipe)

        assert due(NEXT, made + hour) == found
        assert due("2021-10-20", made + hour) == later  # it could not be made before
        assert due(NEXT, made + hour, DriftOptions()) is None  # nobody asked for it
        assert due(ALARM, made + hour) is None  # it was decided before the alarm
        assert due(NEXT, made - hour) is None  # the version of the month knew of it
        assert due("2021-11-02", made + hour) is None  # that of the next month is made first


def test_the_stack_of_one_hears_the_months_before_and_its_own_until_the_session_each_once(
    copy: Path, services_at: ServicesAt
) -> None:
    with services_at(copy, "2021-10-05 18:00") as services:
        calendar = home_calendar(services.settings, services.clock.now())
        factory = open_desk(services, calendar, last=pd.Timestamp("2021-10-05")).factory
        sessions = factory.panel.sessions
        for retrain, month, day in (("monthly", "2021-09", "2021-09-15"), ("quarterly", "2021-07", "2021-09-15")):
            ensemble = factory.recipe.ensemble.model_copy(update={"retrain": retrain})
            asked = replace(factory, recipe=replace(factory.recipe, ensemble=ensemble), _planned={})
            sources = asked._sources(month, Early(pd.Timestamp(day).date(), pd.Timestamp(day).date()))
            heard = [row for one in sources.history for row in range(one.fold.test.start, one.fold.test.stop)]
            row, begin = sessions.searchsorted(pd.DatetimeIndex([day, pd.Timestamp(month) - pd.DateOffset(months=2)]))
            assert heard == list(range(begin, row))
            train = sources.planned.fold.train
            assert (train.stop, sources.rows.stop) == (row, row)
            assert train.start == sessions.searchsorted(pd.Timestamp(day) - pd.DateOffset(years=2))
            for one in sources.history:  # out of sample
                assert one.fold.train.stop <= one.fold.test.start


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_it_learns_all_until_its_session_serves_from_there_and_comes_once_a_month(
    copy: Path, services_at: ServicesAt
) -> None:
    before = october(copy)
    live(alarmed(copy), services_at, f"{NEXT} 08:50", f"{NEXT} 17:00")
    early = early_version(copy)
    ring(copy, NEXT)
    live(copy, services_at, "2021-10-07 08:50", "2021-10-08 08:50")
    said = speakers(copy)
    assert (said[ALARM], said[NEXT], said["2021-10-08"]) == (before, early, early)
    ((manifest,),) = rows(copy, f"SELECT manifest FROM models WHERE model_id = '{early}'")
    told = json.loads(manifest)
    assert told["early"] == {"session": NEXT, "alarm": ALARM}
    assert (told["trained_from"], told["trained_to"]) == ("2019-10-07", ALARM)  # a Monday, and two years
    assert (told["parent"], told["history_months"]) == (before, 3)
    happened = rows(copy, "SELECT session, kind, model_id, rival_id, note FROM model_events ORDER BY number")
    assert happened[-1] == (NEXT, "promoted", early, before, f"made early, after the alarm of {ALARM}; the newest")
    assert [kind for _, kind, *_ in happened].count("judged") == 1
    heard = rows(copy, f"SELECT DISTINCT model_id FROM shadow_forecasts WHERE session = '{NEXT}'")
    assert heard == [(before,)]
    with services_at(copy, "2021-10-08 18:00") as services:
        assert verify(services, since=date(2021, 9, 28)).passes(allow_unreplayed=False)
    listed = CliRunner().invoke(app, ["--config", str(copy / "config.toml"), "models", "list"]).output
    assert [line.split()[0] for line in listed.splitlines() if ", early" in line] == [early]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_it_is_tried_like_any_other_on_the_sessions_that_it_has_learnt_nothing_of(
    copy: Path, services_at: ServicesAt
) -> None:
    before = october(copy)
    live(alarmed(copy, policy="unless_worse"), services_at, f"{ALARM} 18:00", f"{NEXT} 08:50")
    early = early_version(copy)
    assert speakers(copy)[NEXT] == before
    live(copy, services_at, "2021-11-01 08:50")
    scores = rows(copy, f"SELECT session, scores FROM model_events WHERE kind = 'judged' AND model_id = '{early}'")
    ((session, told),) = scores
    with opened(copy / "state" / "signals.db") as database:
        ((sessions,),) = database.execute(
            "SELECT count(*) FROM runs WHERE kind = 'decide' AND session BETWEEN ? AND '2021-10-31'", [NEXT]
        ).fetchall()
    assert (session, json.loads(told)["gap"]["sessions"]) == ("2021-11-01", sessions)
    ends = rows(copy, f"SELECT kind FROM model_events WHERE model_id = '{early}' ORDER BY number")
    assert [kind for (kind,) in ends][:2] == ["tried", "judged"]
    assert ends[2] in [("promoted",), ("kept",)]
    assert load_settings(copy / "config.toml", {}).signals.max_model_age_months == 3


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_damaged_one_is_made_again_after_the_close_as_it_was(copy: Path, services_at: ServicesAt) -> None:
    before = october(copy)
    live(alarmed(copy), services_at, f"{NEXT} 08:50")
    early = early_version(copy)
    ((manifest,),) = rows(copy, f"SELECT manifest FROM models WHERE model_id = '{early}'")
    damaged = copy / "state" / "models" / "parts" / json.loads(manifest)["combiner"] / "combiner.json"
    damaged.write_bytes(b"{")
    live(copy, services_at, "2021-10-07 08:50")
    assert speakers(copy)["2021-10-07"] == before
    live(copy, services_at, "2021-10-07 17:00", "2021-10-08 08:50")
    assert speakers(copy)["2021-10-08"] == early
    assert early_version(copy) == early
