"""A second backtest does again only what is no longer so, and a failed one leaves the one before."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Engine, text

from daemon.backtests.backtest import backtest
from daemon.backtests.display import show_backtest
from daemon.services import Services
from daemon.sessions.desk import home_calendar, open_desk
from ensemble.labels import LABELS
from storage.engine import reading, transaction
from storage.schema import METADATA
from storage.trial_store import number_of_trials, read_performance

ServicesAt = Callable[..., AbstractContextManager[Services]]
AFTERWARDS = "2021-12-31 20:00"
RANGE = {"first": date(2021, 9, 28), "last": date(2021, 10, 5)}
LAST = pd.Timestamp(RANGE["last"])


SAID = """SELECT f.session, f.symbol, f.probability, o.outcome FROM forecasts f JOIN outcomes o
    ON (o.session, o.symbol, o.label) = (f.session, f.symbol, f.label)
    WHERE f.origin = 'backtest' AND f.label = 'gap' ORDER BY f.session, f.symbol"""
KEPT = """SELECT session, s.log_loss, s.base_log_loss FROM trial_sessions s JOIN trials USING (trial_id)
    WHERE kind = 'backtest' AND label = 'gap' ORDER BY session"""
SCORES = "SELECT sessions, log_loss, base_log_loss FROM trials WHERE kind = 'backtest' AND label = 'gap'"


def stored(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table of decisions, of both origins."""
    names = [name for name, table in METADATA.tables.items() if "origin" in table.columns]
    with reading(engine) as conn:
        return {name: sorted(map(tuple, conn.execute(text(f"SELECT * FROM {name}"))), key=repr) for name in names}


def change(engine: Engine, sql: str) -> None:
    with transaction(engine) as conn:
        assert conn.execute(text(sql)).rowcount > 0


def ask(engine: Engine, sql: str) -> list[tuple[Any, ...]]:
    with reading(engine) as conn:
        return [tuple(row) for row in conn.execute(text(sql))]


def set_threshold(folder: Path, value: float) -> None:
    config = folder / "config.toml"
    config.write_text(config.read_text().replace("min_confidence = 0.5\n", f"min_confidence = {value}\n"))


def never(items: Iterable[Any], *, total: int, label: str) -> Iterator[Any]:
    assert label == "replay", f"{label} {total}: nothing was to be trained"
    yield from items


@pytest.fixture
def replayed(copy: Path, services_at: ServicesAt) -> Path:
    """The lived installation with a backtest of the same sessions."""
    with services_at(copy, AFTERWARDS, never) as services:
        backtest(services, **RANGE)
    return copy


def test_another_threshold_leaves_the_forecasts_where_they_are(replayed: Path, services_at: ServicesAt) -> None:
    places = "SELECT rowid, session, symbol, label FROM forecasts WHERE origin = 'backtest' ORDER BY rowid"
    actions = "SELECT DISTINCT action FROM signals WHERE origin = 'backtest' ORDER BY action"
    set_threshold(replayed, 0.99)
    with services_at(replayed, AFTERWARDS, never) as services:
        before = ask(services.engine, places)
        assert ("BUY",) in ask(services.engine, actions)
        backtest(services, **RANGE)
        assert ask(services.engine, places) == before
        assert ask(services.engine, actions) == [("HOLD",)]


def test_other_limits_train_nothing_and_leave_the_forecasts_where_they_are(
    replayed: Path, services_at: ServicesAt
) -> None:
    places = "SELECT rowid, session, symbol, label FROM forecasts WHERE origin = 'backtest' ORDER BY rowid"
    entries = "SELECT DISTINCT stop_loss_pct, take_profit_pct FROM signals WHERE origin = 'backtest'"
    config = replayed / "config.toml"
    config.write_text(config.read_text() + "stop_loss_pct = 3\ntake_profit_pct = 5\nposition_pct = 5\n")
    with services_at(replayed, AFTERWARDS, never) as services:
        before = ask(services.engine, places)
        backtest(services, **RANGE)
        assert ask(services.engine, places) == before
        assert ask(services.engine, entries) == [(3.0, 5.0)]


def test_a_backtest_over_another_one_stores_what_it_would_have_stored_alone(
    copy: Path, services_at: ServicesAt
) -> None:
    set_threshold(copy, 0.6)
    with services_at(copy, AFTERWARDS, never) as services:
        backtest(services, first=date(2021, 9, 29), last=date(2021, 10, 4))
        alone = stored(services.engine)
        backtest(services, **RANGE)
        assert stored(services.engine) != alone
        backtest(services, first=date(2021, 9, 29), last=date(2021, 10, 4))
        assert stored(services.engine) == alone


DAMAGES = (
    "UPDATE forecasts SET data_digest = 'other', probability = 0.01 WHERE {}",
    "UPDATE forecasts SET model_id = 'other', probability = 0.01 WHERE {} AND label = 'gap'",
    "UPDATE forecasts SET code_version = 'other', decided_at = '2021-09-30T00:00:00Z' WHERE {}",
    "UPDATE forecasts SET late = 1 WHERE {}",
    "DELETE FROM forecasts WHERE {} AND label = 'gap'",
    "DELETE FROM member_forecasts WHERE {} AND member = 'logit'",
)


def test_forecasts_that_come_from_elsewhere_or_lack_a_row_are_stored_again(
    replayed: Path, services_at: ServicesAt, sessions: tuple[str, ...]
) -> None:
    with services_at(replayed, AFTERWARDS, never) as services:
        before = stored(services.engine)
        for damage, session in zip(DAMAGES, sessions, strict=True):
            change(services.engine, damage.format(f"origin = 'backtest' AND session = '{session}'"))
        backtest(services, **RANGE)
        assert stored(services.engine) == before


def test_an_interrupted_backtest_leaves_the_one_before_whole(replayed: Path, services_at: ServicesAt) -> None:
    def interrupted(items: Iterable[Any], *, total: int, label: str) -> Iterator[Any]:
        for number, item in enumerate(items):
            if number == 3:
                raise KeyboardInterrupt
            yield item

    set_threshold(replayed, 0.99)
    with services_at(replayed, AFTERWARDS, interrupted) as services:
        before = stored(services.engine)
        with pytest.raises(KeyboardInterrupt):
            backtest(services, **RANGE)
        assert stored(services.engine) == before


@pytest.mark.parametrize("lost", ["odds.npz", "combiner.json"])
def test_what_is_damaged_among_the_models_is_made_again(lost: str, replayed: Path, services_at: ServicesAt) -> None:
    damaged = list((replayed / "state" / "models" / "parts").glob(f"*/{lost}"))
    assert damaged
    for path in damaged:
        path.write_bytes(path.read_bytes()[:-1] + b"!")
    with services_at(replayed, AFTERWARDS, never) as services:
        before = stored(services.engine)
        backtest(services, **RANGE)
        assert stored(services.engine) == before


def test_a_replayed_configuration_is_a_trial_whatever_the_range_and_the_thresholds(
    replayed: Path, services_at: ServicesAt
) -> None:
    def trials(services: Services) -> int:
        with reading(services.engine) as conn:
            return number_of_trials(conn)

    with services_at(replayed, AFTERWARDS, never) as services:
        assert trials(services) == 1
        backtest(services, first=date(2021, 9, 29), last=date(2021, 10, 4))
        assert trials(services) == 1
    set_threshold(replayed, 0.9)
    with services_at(replayed, AFTERWARDS, never) as services:
        backtest(services, **RANGE)
        assert trials(services) == 1
    config = replayed / "config.toml"
    config.write_text(config.read_text().replace("gate_months = 1 }", 'gate_months = 1, combine = "mean" }'))
    with services_at(replayed, AFTERWARDS, never) as services:
        backtest(services, **RANGE)
        assert trials(services) == 2
        with reading(services.engine) as conn:  # each is set beside the base rate, so the best of both is discounted
            assert {label: read_performance(conn, label).shape[1] for label in LABELS} == dict.fromkeys(LABELS, 2)


def test_a_backtest_keeps_how_each_label_did_session_by_session(replayed: Path, services_at: ServicesAt) -> None:
    """Against the same from SQL, and the base rate counted out in pandas."""
    with services_at(replayed, AFTERWARDS, never) as services:
        said = pd.DataFrame(ask(services.engine, SAID), columns=["session", "symbol", "p", "outcome"])
        desk = open_desk(services, home_calendar(services.settings, services.clock.now()), last=LAST)
        kept = pd.DataFrame(ask(services.engine, KEPT), columns=["session", "log_loss", "base_log_loss"])
        (scores,) = ask(services.engine, SCORES)
    ups = pd.DataFrame(desk.panel.labels[:, :, 0].T, desk.panel.sessions, list(desk.panel.symbols))
    base = ((ups.cumsum().shift(fill_value=0) + 1) / (ups.notna().cumsum().shift(fill_value=0) + 2)).stack()
    said["base"] = [
        base[pd.Timestamp(session), symbol] for session, symbol in zip(said["session"], said["symbol"], strict=True)
    ]
    for name, column in (("p", "log_loss"), ("base", "base_log_loss")):
        loss = -np.log(np.where(said["outcome"] == 1, said[name], 1 - said[name]))
        by_session = pd.Series(loss).groupby(said["session"]).mean()
        assert by_session.to_numpy() == pytest.approx(kept[column].to_numpy(), abs=1e-9)
    assert scores == (len(kept), pytest.approx(kept["log_loss"].mean()), pytest.approx(kept["base_log_loss"].mean()))


def test_a_backtest_of_another_range_leaves_what_the_ledger_has_of_the_one_before(
    copy: Path, services_at: ServicesAt
) -> None:
    config = copy / "config.toml"
    config.write_text(config.read_text() + "\n[evaluation]\nholdout_from = 2021-10-04\n")
    with services_at(copy, AFTERWARDS, never) as services:
        backtest(services, first=date(2021, 9, 28), last=date(2021, 9, 30))
        before = ask(services.engine, KEPT), ask(services.engine, SCORES)
        backtest(services, first=date(2021, 10, 4), last=date(2021, 10, 5))  # held out: nothing of it may be looked at
        assert (ask(services.engine, KEPT), ask(services.engine, SCORES)) == before
        assert before[1][0][0] == 3
        backtest(services, first=date(2021, 9, 30), last=date(2021, 10, 5))
        after = ask(services.engine, KEPT)
        assert after[:3] == before[0]
        assert [session for session, *_ in after[3:]] == ["2021-10-01"]
        assert ask(services.engine, SCORES)[0][0] == 2


@pytest.mark.parametrize(("since", "shown"), [("2021-10-01", "3 sessions"), ("2021-09-01", ""), ("2021-12-01", "6 ")])
def test_of_what_is_held_out_a_backtest_shows_nothing(
    since: str, shown: str, replayed: Path, services_at: ServicesAt, capsys: pytest.CaptureFixture[str]
) -> None:
    config = replayed / "config.toml"
    config.write_text(config.read_text() + f"\n[evaluation]\nholdout_from = {since}\n")
    with services_at(replayed, AFTERWARDS, never) as services:
        show_backtest(services, backtest(services, **RANGE), out=None, as_json=False)
    said = capsys.readouterr().out
    assert ("sessions from" in said) is (since < "2021-12")
    assert ("Account" in said) is bool(shown)
    assert shown in said
    assert ("settled 2021-10-05" in said) is (since > "2021-10-05")
    with services_at(replayed, AFTERWARDS, never) as services:
        kept = ask(services.engine, "SELECT session FROM trial_sessions")
    assert all(session < since for (session,) in kept)
    assert bool(kept) is bool(shown)
