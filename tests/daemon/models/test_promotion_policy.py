"""Where versions are tried before they serve, live and backtest come to the same champions."""

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from daemon.backtests.backtest import backtest
from daemon.config.settings import Settings
from daemon.models.judging import TrialTask, judge_apart, judge_here
from daemon.models.promotion import Policy
from daemon.models.standing import Standing
from daemon.services import Services
from daemon.sessions.desk import Desk, home_calendar, open_desk
from daemon.sessions.reconcile import reconcile
from daemon.training.child import TaskLimits
from storage.promotion_store import ModelEventKind
from storage.sqlite_file import opened

ServicesAt = Callable[..., AbstractContextManager[Services]]
Write = Callable[[Path], Path]
SAID = "SELECT session, symbol, label, probability, model_id FROM forecasts WHERE origin = '{}' ORDER BY 1, 2, 3"


def rows(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    with opened(folder / "state" / "signals.db") as database:
        return database.execute(sql).fetchall()


def installation(folder: Path, write_installation: Write, policy: str) -> Path:
    """Without networks, and versions that differ."""
    path = write_installation(folder) / "config.toml"
    lines = [line for line in path.read_text().splitlines() if 'name = "small"' not in line]
    config = "\n".join(lines).replace("rounds = 5", "rounds = 60").replace("window_years = 2", "window_years = 1")
    table = f'[promotion]\npolicy = "{policy}"\nmax_age_months = 3\n\n[signals]\nmax_model_age_months = 4\n'
    path.write_text(config.replace("min_sessions = 300", "min_sessions = 150").replace("[signals]\n", table))
    return folder


def live_and_replay(folder: Path, services_at: ServicesAt, moments: Sequence[str]) -> None:
    """Lives from moment to moment, and that evening replays all of it."""
    for moment in moments:
        with services_at(folder, moment) as services:
            reconcile(services)
    first, last = (date.fromisoformat(moments[place][:10]) for place in (0, -1))
    with services_at(folder, f"{last} 22:00") as services:
        backtest(services, first=first, last=last)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("policy", ["better", "unless_worse"])
def test_where_versions_are_tried_a_backtest_follows_the_live_champions_row_by_row(
    policy: str, tmp_path: Path, write_installation: Write, services_at: ServicesAt
) -> None:
    folder = installation(tmp_path / "tried", write_installation, policy)
    moments = ["2021-06-01 08:50", "2021-06-30 17:00", "2021-07-30 17:00", "2021-08-31 17:00", "2021-10-01 08:50"]
    live_and_replay(folder, services_at, moments)
    assert rows(folder, SAID.format("live")) == rows(folder, SAID.format("backtest"))
    happened = (
        "SELECT session, kind, model_id, rival_id, note, scores FROM model_events WHERE origin = '{}' ORDER BY number"
    )
    live = rows(folder, happened.format("live"))
    assert live == rows(folder, happened.format("backtest"))
    kinds = [kind for _, kind, *_ in live]
    assert kinds.count("tried") == kinds.count("judged") + 1 == 4
    assert len(rows(folder, "SELECT DISTINCT model_id FROM forecasts WHERE origin = 'live'")) > 1
    unlike = "SELECT count(*) FROM forecasts f JOIN models m USING (model_id) WHERE m.month = substr(f.session, 1, 7)"
    assert rows(folder, f"{unlike} AND f.session >= '2021-07-01'") == [(0,)]  # nobody serves before its trial


def gap_up_since(folder: Path, day: str) -> None:
    """From that day on every session opens above the close before: a year later nothing else is known to learn from."""
    for name in ("AAA.NS", "BBB.NS"):
        path = folder / "bars" / f"{name}.csv"
        bars = pd.read_csv(path, index_col="Date")
        opens = (bars["Close"].shift() * 1.001).where(bars.index >= day, bars["Open"])
        bars = bars.assign(Open=opens, High=np.fmax(bars["High"], opens), Low=np.fmin(bars["Low"], opens))
        bars.to_csv(path)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_degenerate_version_is_held_back_in_a_backtest_as_it_is_live(
    tmp_path: Path, write_installation: Write, services_at: ServicesAt
) -> None:
    folder = installation(tmp_path / "one-sided", write_installation, "newest")
    gap_up_since(folder, "2020-10-16")
    moments = ["2021-09-01 08:50", "2021-09-30 17:00", "2021-10-01 08:50", "2021-10-04 08:50"]
    live_and_replay(folder, services_at, moments)
    assert rows(folder, SAID.format("live")) == rows(folder, SAID.format("backtest"))
    happened = "SELECT session, model_id, rival_id, note FROM model_events WHERE origin = '{}' AND kind = 'held'"
    (held,) = rows(folder, happened.format("live"))
    assert held[3].startswith("degenerate: ")
    assert rows(folder, happened.format("backtest")) == [held]


@pytest.mark.slow
def test_a_backtest_with_trials_makes_a_damaged_member_again_and_ends_with_equal_rows(
    copy: Path, services_at: ServicesAt
) -> None:
    config = copy / "config.toml"
    config.write_text(config.read_text() + '\n[promotion]\npolicy = "better"\n')
    happened = (
        "SELECT session, kind, model_id, rival_id, note FROM model_events WHERE origin = 'backtest' ORDER BY number"
    )
    found = []
    for damaged in (False, True):
        with services_at(copy, "2021-10-05 20:00") as services:
            for key in october_members(services) if damaged else ():
                flip_a_bit(services.models.part_folder(key))
            backtest(services, first=date(2021, 9, 28), last=date(2021, 10, 5))
        found.append((rows(copy, SAID.format("backtest")), rows(copy, happened)))
    assert found[0] == found[1]
    assert [kind for _, kind, *_ in found[1][1]] == ["promoted", "tried"]


def october_members(services: Services) -> list[str]:
    """The keys of two of its trained members."""
    (model_id,) = (one for one in services.models.model_ids() if one.startswith("2021-10"))
    return [key for name, (key, *_) in services.models.manifest(model_id)["members"] if name != "small"]


def flip_a_bit(part: Path) -> None:
    """In its largest file."""
    path = max(part.iterdir(), key=lambda file: file.stat().st_size)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def desk_at(services: Services) -> Desk:
    calendar = home_calendar(services.settings, services.clock.now())
    return open_desk(services, calendar, last=pd.Timestamp("2021-10-05"))


class Constant:
    """Says the same of every session."""

    def log_odds(self, odds: Any) -> Any:
        return np.zeros(odds.log_odds.shape[1:])


@pytest.mark.parametrize(
    ("policy", "becomes"),
    [("newest", "promoted"), ("better", "tried"), ("unless_worse", "tried"), ("manual", "held")],
)
def test_what_becomes_of_a_new_version_is_the_policys_and_a_degenerate_one_waits_in_any(
    policy: str, becomes: str, copy: Path, services_at: ServicesAt
) -> None:
    with services_at(copy, "2021-10-05 17:00") as services:
        options = services.settings.promotion.model_copy(update={"policy": policy})
        settings = services.settings.model_copy(update={"promotion": options})
        desk = desk_at(services)
        model = desk.model("2021-10")
        asked = Policy(settings, "recipe", desk.factory.panel, services.clock.now())
        session = desk.panel.sessions[-1]
        (event,) = asked.received(model, Standing(served=("before",)), session)
        assert (event.kind, event.model_id, event.rival_id) == (becomes, model.model_id, "before")
        dull = replace(model, combiner=Constant())  # type: ignore[arg-type]
        (event,) = asked.received(dull, Standing(served=("before",)), session)
        assert (event.kind, event.note) == (ModelEventKind.HELD, "degenerate: it says the same of every session")
        (event,) = asked.received(dull, Standing(), session)
        assert event.kind is ModelEventKind.PROMOTED  # for there is no other
        assert list(asked.received(model, Standing(served=("before",), pinned=True), session)) == []


def test_a_trial_scored_in_a_process_of_its_own_is_the_same_and_here_where_that_one_fails() -> None:
    random = np.random.default_rng(1)
    challenger, champion = random.normal(size=(2, 3, 40, 4))
    outcomes = (random.random((3, 40, 4)) < 0.5).astype(np.float64)
    task = TrialTask(challenger, champion, outcomes, np.ones((3, 40), dtype=np.bool_), (1, 1, 1, 3))
    here = judge_here(task)
    assert judge_apart(task, TaskLimits(timeout_min=1, memory_mb=2000, threads=1)) == here
    assert judge_apart(task, TaskLimits(timeout_min=1, memory_mb=1, threads=1)) == here


def test_a_trial_scores_both_on_the_sessions_after_they_were_made_and_before_the_one_decided(
    copy: Path, services_at: ServicesAt
) -> None:
    with services_at(copy, "2021-10-05 17:00") as services:
        desk = desk_at(services)
        october = desk.model("2021-10")
        asked = Policy(services.settings, "recipe", desk.factory.panel, services.clock.now())
        span = pd.Timestamp("2021-10"), desk.panel.sessions[-1]
        judged, ended = asked.tried(october, desk.model("2021-09"), span, decides=True)
        scores = json.loads(json.dumps(judged.scores))
        assert {label: one["sessions"] for label, one in scores.items()} == {
            "gap": 2,  # of October, before its third session
            "close_to_close": 2,
            "open_to_close": 2,
            "barrier": 0,
        }
        assert ended.kind in (ModelEventKind.PROMOTED, ModelEventKind.KEPT)
        assert asked.tried(october, october, span, decides=False)[0].kind is ModelEventKind.JUDGED


@pytest.mark.parametrize(
    ("month", "kind", "why"),
    [("2021-08", "kept", ""), ("2021-01", "promoted", "; but the other would be 10 months old")],
)
def test_a_champion_that_lost_no_trial_goes_when_it_is_too_old_and_the_event_says_so(
    month: str, kind: str, why: str, copy: Path, services_at: ServicesAt
) -> None:
    with services_at(copy, "2021-10-05 17:00") as services:
        options = services.settings.promotion.model_copy(update={"policy": "better", "max_age_months": 3})
        settings = services.settings.model_copy(update={"promotion": options})
        desk = desk_at(services)
        october = desk.model("2021-10")
        asked = Policy(settings, "recipe", desk.factory.panel, services.clock.now())
        span = pd.Timestamp("2021-10"), desk.panel.sessions[-1]
        judged, ended = asked.tried(october, replace(october, month=month), span, decides=True)
        assert (ended.kind, ended.note) == (kind, judged.note + why)


@pytest.mark.parametrize(("month", "kind"), [("2021-04", "kept"), ("2021-01", "promoted")])
def test_the_trial_of_a_quarter_decides_until_the_champion_has_served_three(
    month: str, kind: str, copy: Path, services_at: ServicesAt
) -> None:
    with services_at(copy, "2021-10-05 17:00") as services:
        desk = desk_at(services)
        october = desk.model("2021-10")
        tables = {"ensemble": {"retrain": "quarterly"}, "promotion": {"policy": "better"}}
        asked = Policy(Settings.model_validate(tables), "recipe", desk.factory.panel, services.clock.now())
        span = pd.Timestamp("2021-10"), desk.panel.sessions[-1]
        *_, ended = asked.tried(october, replace(october, month=month), span, decides=True)
        assert ended.kind == kind
