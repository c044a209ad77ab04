"""What is held out is not seen by accident, and not twice."""

from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest

from daemon.config.settings import Settings
from daemon.errors import DaemonError
from daemon.evaluating.holdout import release
from ensemble.evaluation.holdout import EvaluationOptions
from ensemble.sessions import load_calendar
from storage.engine import open_store, reading
from storage.holdout_store import HoldoutSpent, read_openings

NOW = datetime(2026, 11, 22, 16, 0, tzinfo=UTC)
FROM = date(2021, 10, 4)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'signals.db'}"


def forecasts(probability: float = 0.6) -> pd.DataFrame:
    sessions = pd.DatetimeIndex(["2021-09-30", "2021-10-01", "2021-10-04", "2021-10-05"])
    rows = [(session, name, "gap", probability, 1.0) for session in sessions for name in ("AAA.NS", "BBB.NS")]
    return pd.DataFrame(rows, columns=["session", "symbol", "label", "probability", "outcome"])


def settings(holdout_from: date | None = FROM, experiment: str | None = "first") -> Settings:
    return Settings(evaluation=EvaluationOptions(holdout_from=holdout_from, experiment=experiment))


def test_without_an_opening_only_what_lies_before_is_seen_and_nothing_is_logged(url: str) -> None:
    engine = open_store(url)
    released = release(engine, forecasts(), settings(), opening=False, now=NOW)
    assert released.held_back == 2
    assert released.rows["session"].max() == pd.Timestamp("2021-10-01")
    assert len(released.rows) == 4
    with reading(engine) as conn:
        assert read_openings(conn) == []


def test_an_outcome_that_reaches_into_the_hold_out_is_unknown_until_it_is_opened(url: str) -> None:
    sessions = load_calendar("XNSE", first=date(2021, 9, 1), last=date(2021, 10, 8)).sessions
    kinds = ("barrier", "open_to_close")
    rows = [(session, "AAA.NS", label, 0.6, 1.0) for session in sessions for label in kinds]
    said = pd.DataFrame(rows, columns=["session", "symbol", "label", "probability", "outcome"])
    engine = open_store(url)
    seen = release(engine, said, settings(), opening=False, now=NOW).rows
    outcomes = {label: seen.loc[seen["label"] == label, "outcome"] for label in kinds}
    known = {label: int(one.notna().sum()) for label, one in outcomes.items()}
    before = int((sessions < pd.Timestamp(FROM)).sum())
    assert known == {"barrier": before - 9, "open_to_close": before}  # held for ten sessions at most, its own the first
    assert outcomes["barrier"].iloc[-9:].isna().all()
    assert release(engine, said, settings(), opening=True, now=NOW).rows["outcome"].notna().all()


def test_without_a_hold_out_all_is_seen(url: str) -> None:
    released = release(open_store(url), forecasts(), settings(None, None), opening=False, now=NOW)
    assert (len(released.rows), released.held_back, released.opening) == (8, 0, None)


def test_a_declared_experiment_sees_all_of_it_once(url: str) -> None:
    engine = open_store(url)
    first = release(engine, forecasts(), settings(), opening=True, now=NOW)
    assert len(first.rows) == 8
    assert first.opening is not None
    assert (first.opening.holdout_from, first.opening.last_session) == (FROM, date(2021, 10, 5))
    shuffled = forecasts().sample(frac=1, random_state=1)
    assert release(engine, shuffled, settings(), opening=True, now=NOW).opening == first.opening
    with pytest.raises(HoldoutSpent):
        release(engine, forecasts(0.7), settings(), opening=True, now=NOW)
    release(engine, forecasts(0.7), settings(experiment="second"), opening=True, now=NOW)
    with reading(engine) as conn:
        assert [one.experiment for one in read_openings(conn)] == ["first", "second"]


@pytest.mark.parametrize(
    ("given", "complaint"),
    [(settings(experiment=None), "evaluation.experiment is not set"), (settings(None), "nothing is held out")],
)
def test_what_is_not_declared_opens_nothing(url: str, given: Settings, complaint: str) -> None:
    engine = open_store(url)
    with pytest.raises(DaemonError, match=complaint):
        release(engine, forecasts(), given, opening=True, now=NOW)
    with reading(engine) as conn:
        assert read_openings(conn) == []


def test_an_opening_of_a_range_before_the_hold_out_is_no_look(url: str) -> None:
    engine = open_store(url)
    early = forecasts().iloc[:4]
    assert release(engine, early, settings(), opening=True, now=NOW).opening is None
    with reading(engine) as conn:
        assert read_openings(conn) == []
