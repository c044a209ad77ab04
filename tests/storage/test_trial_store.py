from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pandas as pd
from sqlalchemy import Connection

from storage.trial_store import (
    TRADED,
    Trial,
    TrialScores,
    TrialState,
    number_of_accounts,
    number_of_trials,
    read_performance,
    read_trials,
    write_performance,
    write_trial,
)

NOW = datetime(2026, 11, 22, 16, 0, tzinfo=UTC)
FIRST, LAST = date(2012, 1, 2), date(2018, 12, 31)


def trial(number: int, **changed: object) -> Trial:
    made = Trial(
        trial_id=f"s-{number:04d}",
        kind="sweep",
        study="s",
        number=number,
        state=TrialState.COMPLETE,
        digest=f"d{number}",
        settings={"kind": "logit", "penalty": 10.0 * number},
        label="gap",
        first_session=FIRST,
        last_session=LAST,
        started_at=NOW,
        code_version="0.1.0",
        scores=TrialScores(2, 0.68, 0.69, 0.55, 0.54),
        progress=[0.70, 0.68],
        finished_at=NOW + timedelta(minutes=1),
    )
    return replace(made, **changed)  # type: ignore[arg-type]


def losses(*values: float, start: str = "2012-01-02") -> pd.DataFrame:
    index = pd.date_range(start, periods=len(values), name="session")
    return pd.DataFrame({"log_loss": values, "base_log_loss": 0.7}, index=index)


def test_a_trial_comes_back_as_it_was_kept(conn: Connection) -> None:
    first, second = trial(0), trial(1, state=TrialState.FAILED, scores=TrialScores(), progress=None, detail="why")
    write_trial(conn, second)
    write_trial(conn, first)
    assert read_trials(conn) == [first, second]
    assert read_trials(conn, study="other") == []


def test_a_trial_that_goes_on_replaces_its_earlier_state(conn: Connection) -> None:
    write_trial(conn, trial(0, state=TrialState.RUNNING))
    write_trial(conn, trial(0))
    assert [one.state for one in read_trials(conn)] == [TrialState.COMPLETE]


def test_every_configuration_that_gave_a_number_counts_once(conn: Connection) -> None:
    assert number_of_trials(conn) == 0
    write_trial(conn, trial(0))
    write_trial(conn, trial(1, state=TrialState.PRUNED))
    write_trial(conn, trial(2, state=TrialState.RUNNING))
    write_trial(conn, trial(3, state=TrialState.FAILED))
    write_trial(conn, trial(4, trial_id="again-0000", study="again", digest="d0"))
    assert number_of_trials(conn) == 2


def test_a_search_for_one_label_is_no_trial_of_another_but_a_backtest_is_one_of_all(conn: Connection) -> None:
    write_trial(conn, trial(0, label="gap"))
    write_trial(conn, trial(1, label="barrier"))
    write_trial(conn, trial(2, kind="backtest", label=None))
    assert [number_of_trials(conn, label) for label in ("gap", "close_to_close", None)] == [2, 1, 3]


def test_forecasts_that_were_traded_in_three_ways_are_three_accounts(conn: Connection) -> None:
    assert number_of_accounts(conn) == 0
    write_trial(conn, trial(0))
    write_trial(conn, trial(1, state=TrialState.FAILED))
    write_trial(conn, trial(2, kind="backtest", label=None))
    assert number_of_accounts(conn) == 2
    write_trial(conn, trial(2, kind="backtest", label=None, settings={TRADED: [{"a": 1}, {"a": 2}, {"a": 3}]}))
    assert number_of_accounts(conn) == 4
    assert number_of_trials(conn) == 2


def test_performance_is_the_gain_on_the_base_rate_of_every_complete_trial_of_the_label(conn: Connection) -> None:
    for number, values in enumerate([(0.6, 0.8), (0.7, 0.5)]):
        write_trial(conn, trial(number))
        write_performance(conn, f"s-{number:04d}", losses(*values))
    write_performance(conn, "s-0000", losses(0.6, 0.8))
    write_trial(conn, trial(2, label="barrier"))
    write_performance(conn, "s-0002", losses(0.1, 0.1))
    write_trial(conn, trial(3, state=TrialState.PRUNED))
    write_trial(conn, trial(4, trial_id="t-0003", study="t", digest="d0"))
    write_performance(conn, "t-0003", losses(0.6, 0.8))
    later = {"first_session": date(2012, 1, 3), "last_session": date(2012, 1, 4)}
    write_trial(conn, trial(5, trial_id="backtest-r-gap", kind="backtest", study="r", **later))
    write_performance(conn, "backtest-r-gap", losses(0.7, 0.4, start="2012-01-03"))
    gains = read_performance(conn, "gap")
    assert list(gains.columns) == ["backtest-r-gap", "s-0000", "s-0001"]  # of the equal ones the first
    expected = [[None, 0.1, 0.0], [0.0, -0.1, 0.2], [0.3, None, None]]
    assert gains.round(9).astype(object).where(gains.notna(), None).to_numpy().tolist() == expected
    assert list(read_performance(conn, "gap", study="t").columns) == ["t-0003"]
    assert read_performance(conn, "open_to_close").shape == (0, 0)


def test_the_labels_of_one_backtest_are_one_configuration(conn: Connection) -> None:
    for label in ("gap", "barrier", None):  # None: as an earlier version kept it
        write_trial(conn, trial(0, trial_id=f"backtest-r-{label}", kind="backtest", study="r", label=label))
    assert [number_of_trials(conn, label) for label in ("gap", "barrier", "close_to_close", None)] == [1, 1, 1, 1]
