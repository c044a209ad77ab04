from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, select

from ensemble.forecasts import Forecast
from storage.engine import StoreError, transaction
from storage.forecast_store import write_forecasts
from storage.outcome_store import OutcomeChanges, read_outcomes, read_scored, write_outcomes
from storage.tables import Origin, outcomes

NOON = datetime(2021, 10, 4, 12, tzinfo=UTC)
FRIDAY, MONDAY = date(2021, 10, 1), date(2021, 10, 4)
Key = tuple[date, str, str]


def resolved(known: dict[Key, float]) -> pd.DataFrame:
    rows = [(pd.Timestamp(session), symbol, label, outcome) for (session, symbol, label), outcome in known.items()]
    frame = pd.DataFrame(rows, columns=["session", "symbol", "label", "outcome"])
    return frame.astype({"session": "datetime64[us]", "outcome": "float64"})


def read(conn: Connection) -> dict[Key, float]:
    frame = read_outcomes(conn, first=date(2021, 1, 1), last=date(2021, 12, 31))
    return {
        (session.date(), symbol, label): outcome
        for session, symbol, label, outcome in frame.itertuples(index=False, name=None)
    }


def test_outcomes_are_added_and_wrong_ones_corrected(conn: Connection) -> None:
    first: dict[Key, float] = {(FRIDAY, "A", "gap"): 1.0, (FRIDAY, "B", "gap"): 0.0}
    assert write_outcomes(conn, resolved(first), resolved_at=NOON) == OutcomeChanges(added=2, changed=0)
    second: dict[Key, float] = {(FRIDAY, "A", "gap"): 0.0, (FRIDAY, "B", "gap"): 0.0, (MONDAY, "A", "gap"): 1.0}
    later = NOON + timedelta(days=1)
    assert write_outcomes(conn, resolved(second), resolved_at=later) == OutcomeChanges(added=1, changed=1)
    assert read(conn) == second
    stamped = conn.execute(select(outcomes.c.symbol, outcomes.c.session, outcomes.c.resolved_at)).all()
    assert {tuple(row) for row in stamped} == {("A", FRIDAY, later), ("B", FRIDAY, NOON), ("A", MONDAY, later)}


def test_what_is_not_known_yet_changes_nothing(conn: Connection) -> None:
    write_outcomes(conn, resolved({(FRIDAY, "A", "gap"): 1.0}), resolved_at=NOON)
    unknown = resolved({(FRIDAY, "A", "gap"): np.nan, (MONDAY, "A", "gap"): np.nan})
    assert write_outcomes(conn, unknown, resolved_at=NOON) == OutcomeChanges(added=0, changed=0)
    assert read(conn) == {(FRIDAY, "A", "gap"): 1.0}


def test_no_outcomes_are_no_work(conn: Connection) -> None:
    assert write_outcomes(conn, resolved({}), resolved_at=NOON) == OutcomeChanges(added=0, changed=0)


def test_outcomes_are_read_by_session_and_label_in_order(conn: Connection) -> None:
    known: dict[Key, float] = {(MONDAY, "A", "gap"): 1.0, (FRIDAY, "B", "gap"): 0.0, (FRIDAY, "A", "barrier"): 1.0}
    write_outcomes(conn, resolved(known), resolved_at=NOON)
    frame = read_outcomes(conn, first=FRIDAY, last=MONDAY)
    assert list(frame["symbol"]) == ["A", "B", "A"]
    assert frame["session"].dtype == np.dtype("datetime64[us]")
    assert len(read_outcomes(conn, first=FRIDAY, last=FRIDAY)) == 2
    assert len(read_outcomes(conn, first=FRIDAY, last=MONDAY, label="gap")) == 2


def test_what_is_neither_one_nor_zero_is_refused(store: Engine) -> None:
    with pytest.raises(StoreError, match="refused a row"), transaction(store) as conn:
        write_outcomes(conn, resolved({(FRIDAY, "A", "gap"): 2.0}), resolved_at=NOON)


KEYS = st.tuples(st.sampled_from([FRIDAY, MONDAY]), st.sampled_from("AB"), st.sampled_from(["gap", "barrier"]))
OUTCOMES = st.dictionaries(KEYS, st.sampled_from([0.0, 1.0]))


@settings(max_examples=30, deadline=None)
@given(loads=st.lists(OUTCOMES, max_size=4))
def test_the_last_word_on_each_outcome_stands(shared_store: Engine, loads: list[dict[Key, float]]) -> None:
    expected: dict[Key, float] = {}
    with shared_store.connect() as conn, conn.begin() as work:
        for known in loads:
            changes = write_outcomes(conn, resolved(known), resolved_at=NOON)
            assert changes.added == len(known.keys() - expected.keys())
            assert changes.changed == sum(expected.get(key, value) != value for key, value in known.items())
            expected |= known
        assert read(conn) == expected
        work.rollback()


def test_a_forecast_that_came_late_is_not_scored(conn: Connection) -> None:
    made = Forecast(FRIDAY, "A", "gap", 0.7, 0.6, "mean", "model-1", "abc")
    late = {FRIDAY: False, MONDAY: True}
    both = [made, replace(made, session=MONDAY)]
    write_forecasts(conn, "live", both, decided_at=NOON, late=late, code_version="0.1.0")
    scored = read_scored(conn, "live", first=FRIDAY, last=MONDAY)
    assert scored["session"].tolist() == [pd.Timestamp(FRIDAY)]


def test_forecasts_are_scored_beside_their_outcomes_and_one_that_is_not_known_is_no_number(conn: Connection) -> None:
    made = Forecast(FRIDAY, "A", "gap", 0.7, 0.6, "mean", "model-1", "abc")
    origins: tuple[tuple[Origin, float], ...] = (("backtest", 0.7), ("live", 0.4))
    for origin, probability in origins:
        both = [replace(made, probability=probability), replace(made, session=MONDAY, probability=probability)]
        write_forecasts(conn, origin, both, decided_at=NOON, late=False, code_version="0.1.0")
    write_outcomes(conn, resolved({(FRIDAY, "A", "gap"): 0.0, (FRIDAY, "B", "gap"): 1.0}), resolved_at=NOON)
    scored = read_scored(conn, "backtest", first=FRIDAY, last=MONDAY)
    assert list(scored.columns) == ["session", "symbol", "label", "probability", "outcome"]
    assert scored["session"].tolist() == [pd.Timestamp(FRIDAY), pd.Timestamp(MONDAY)]
    assert scored["probability"].tolist() == [0.7, 0.7]
    np.testing.assert_array_equal(scored["outcome"], [0.0, np.nan])
