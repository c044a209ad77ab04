from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Connection
from sqlalchemy.event import listen

from ensemble.bars import BAR_COLUMNS
from storage.action_store import Restatement, write_actions, write_restatement
from storage.bar_store import newest_of, read_bars, write_bars
from storage.errors import StoreError
from storage.quarantine_store import (
    Decision,
    HeldBars,
    decide,
    read_accepted,
    read_held,
    read_quarantine,
    without_rejected,
)
from storage.refusals import write_quarantine

NOON = datetime(2021, 10, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=1)
DAYS = pd.DatetimeIndex(["2021-09-28", "2021-09-29", "2021-09-30"], name="session").as_unit("us")
GOOD = {"open": 100.0, "high": 102.0, "low": 99.0, "close": 101.0, "adj_close": 101.0, "volume": 1000.0}
FAR = {"open": 200.0, "high": 202.0, "low": 199.0, "close": 201.0, "adj_close": 201.0, "volume": 1000.0}

LATE_REFUSALS = ((1, "new_level"), (4, "bad_tick"), (5, "not_a_session"))


def refuse(conn: Connection, **changed: float) -> int:
    """Two good bars, and the one between them refused; its number."""
    good = pd.DataFrame([GOOD, GOOD], index=DAYS[[0, 2]], columns=list(BAR_COLUMNS))
    write_bars(conn, "A.NS", good, seen_at=NOON, provider="test")
    row = {"session": DAYS[1], "reason": "bad_tick"} | FAR | changed
    write_quarantine(conn, "A.NS", pd.DataFrame([row]), seen_at=NOON)
    return read_quarantine(conn)[0].id


def said(verdict: str) -> Decision:
    return Decision(verdict, "ann", "I saw it", LATER)


def sessions(conn: Connection, known_at: datetime | None = None) -> list[date]:
    return list(pd.DatetimeIndex(read_bars(conn, ["A.NS"], known_at=known_at)["A.NS"].index).date)


def test_a_refused_bar_is_shown_with_its_values_and_the_closes_beside_it(conn: Connection) -> None:
    refuse(conn)
    (one,) = read_quarantine(conn)
    assert (one.symbol, one.session, one.reason) == ("A.NS", date(2021, 9, 29), "bad_tick")
    assert one.values == FAR
    assert (one.close_before, one.close_after, one.verdict) == (101.0, 101.0, None)


def test_an_accepted_bar_is_known_from_then_on_and_not_before(conn: Connection) -> None:
    done = decide(conn, refuse(conn), said("accepted"), complete=True)
    assert (done.verdict, done.decided_by, done.note, done.decided_at) == ("accepted", "ann", "I saw it", LATER)
    assert date(2021, 9, 29) in sessions(conn)
    assert date(2021, 9, 29) not in sessions(conn, known_at=LATER - timedelta(seconds=1))


def test_a_decided_refusal_is_listed_no_more_and_does_not_come_again(conn: Connection) -> None:
    decide(conn, refuse(conn), said("rejected"), complete=True)
    again = pd.DataFrame([{"session": DAYS[1], "reason": "bad_tick"} | FAR])
    assert write_quarantine(conn, "A.NS", again, seen_at=LATER) == 0
    assert read_quarantine(conn) == []
    assert [one.verdict for one in read_quarantine(conn, decided=True)] == ["rejected"]


def test_rejected_values_are_kept_out_and_others_of_that_session_are_not(conn: Connection) -> None:
    decide(conn, refuse(conn), said("rejected"), complete=True)
    bars = pd.DataFrame([FAR], index=DAYS[[1]], columns=list(BAR_COLUMNS))
    assert without_rejected(conn, "A.NS", bars).empty
    assert len(without_rejected(conn, "A.NS", bars.assign(close=101.0))) == 1
    assert len(without_rejected(conn, "B.NS", bars)) == 1


def test_a_decision_stands(conn: Connection) -> None:
    number = refuse(conn)
    decide(conn, number, said("rejected"), complete=True)
    with pytest.raises(StoreError, match="rejected by ann before"):
        decide(conn, number, said("accepted"), complete=True)


@pytest.mark.parametrize("changed", [{"close": np.nan}, {"high": 150.0}, {"volume": 0.0}, {"low": -1.0}])
def test_a_traded_bar_that_no_feature_could_be_made_of_is_not_accepted(
    conn: Connection, changed: dict[str, float]
) -> None:
    number = refuse(conn, **changed)
    with pytest.raises(StoreError, match=f"bar {number} cannot be accepted"):
        decide(conn, number, said("accepted"), complete=True)
    assert date(2021, 9, 29) not in sessions(conn)


def test_an_accepted_context_bar_loses_the_range_that_contradicts_it(conn: Connection) -> None:
    decide(conn, refuse(conn, high=150.0), said("accepted"), complete=False)
    bar = read_bars(conn, ["A.NS"])["A.NS"].loc["2021-09-29"]
    assert bar["close"] == 201.0
    assert np.isnan(bar["high"])


def test_an_unknown_number_is_named(conn: Connection) -> None:
    with pytest.raises(StoreError, match="quarantine has no bar 7"):
        decide(conn, 7, said("accepted"), complete=True)


def test_a_rejected_bar_that_is_stored_with_these_values_is_withdrawn(conn: Connection) -> None:
    number = refuse(conn)
    write_bars(conn, "A.NS", pd.DataFrame([FAR], index=DAYS[[1]]), seen_at=NOON, provider="test")
    decide(conn, number, said("rejected"), complete=True)
    assert date(2021, 9, 29) not in sessions(conn)
    assert date(2021, 9, 29) in sessions(conn, known_at=NOON)


def test_a_rejection_takes_nothing_from_other_values_of_the_session(conn: Connection) -> None:
    number = refuse(conn)
    write_bars(conn, "A.NS", pd.DataFrame([GOOD], index=DAYS[[1]]), seen_at=NOON, provider="test")
    decide(conn, number, said("rejected"), complete=True)
    assert date(2021, 9, 29) in sessions(conn)


def multiplied(bar: dict[str, float], of_close: float, of_adjusted: float) -> dict[str, float]:
    """As a feed gives it after a split, which moves both, or a dividend, which moves adj_close alone."""
    scales = {"adj_close": of_adjusted, "volume": 1 / of_close}
    return {name: value * scales.get(name, of_close) for name, value in bar.items()}


def told(*bars: dict[str, float], days: pd.DatetimeIndex = DAYS) -> pd.DataFrame:
    return pd.DataFrame([*bars], index=days, columns=list(BAR_COLUMNS))


@pytest.mark.parametrize("factors", [(0.5, 0.5), (1.0, 0.98)], ids=["split", "dividend"])
def test_a_rejected_bar_stays_out_as_its_history_is_restated_and_is_not_refused_anew(
    conn: Connection, factors: tuple[float, float]
) -> None:
    decide(conn, refuse(conn), said("rejected"), complete=True)
    good, far = multiplied(GOOD, *factors), multiplied(FAR, *factors)
    kept = without_rejected(conn, "A.NS", told(good, far, good))
    assert list(kept.index) == list(DAYS[[0, 2]])
    write_bars(conn, "A.NS", kept, seen_at=LATER + timedelta(days=1), provider="test")
    again = pd.DataFrame([{"session": DAYS[1], "reason": "bad_tick"} | far])
    assert write_quarantine(conn, "A.NS", again, seen_at=LATER + timedelta(days=1)) == 0
    another = again.assign(close=far["close"] * 1.01)
    assert write_quarantine(conn, "A.NS", another, seen_at=LATER + timedelta(days=1)) == 1


@pytest.mark.parametrize("factors", [(0.5, 0.5), (1.0, 0.98)], ids=["split", "dividend"])
def test_a_rejected_bar_that_is_stored_is_withdrawn_though_it_was_restated_since(
    conn: Connection, factors: tuple[float, float]
) -> None:
    number = refuse(conn)
    good, far = multiplied(GOOD, *factors), multiplied(FAR, *factors)
    write_bars(conn, "A.NS", told(good, far, good), seen_at=NOON + timedelta(hours=1), provider="test")
    assert read_quarantine(conn) == []
    decide(conn, number, said("rejected"), complete=True)
    assert sessions(conn) == [date(2021, 9, 28), date(2021, 9, 30)]


def test_an_accepted_bar_comes_in_the_scale_of_the_bars_beside_it(conn: Connection) -> None:
    number = refuse(conn)
    halved = told(*[multiplied(GOOD, 0.5, 0.49)] * 2, days=DAYS[[0, 2]])
    write_bars(conn, "A.NS", halved, seen_at=NOON + timedelta(hours=1), provider="test")
    decide(conn, number, said("accepted"), complete=True)
    bar = read_bars(conn, ["A.NS"])["A.NS"].loc["2021-09-29"]
    assert bar.to_dict() == pytest.approx(multiplied(FAR, 0.5, 0.49))


def test_a_bar_of_the_ex_date_itself_is_accepted_as_it_came(conn: Connection) -> None:
    number = refuse(conn)
    ex = pd.DataFrame({"dividend": [0.0], "split": [2.0]}, index=DAYS[[1]])
    write_actions(conn, "A.NS", ex, seen_at=NOON, provider="test")
    halved = told(multiplied(GOOD, 0.5, 0.5), days=DAYS[[0]])
    write_bars(conn, "A.NS", halved, seen_at=NOON + timedelta(hours=1), provider="test")
    decide(conn, number, said("accepted"), complete=True)
    assert read_bars(conn, ["A.NS"])["A.NS"].loc["2021-09-29"].to_dict() == FAR


@pytest.mark.parametrize("later", [[], [DAYS[2]]], ids=["nothing_since", "a_bar_since"])
def test_a_bar_that_was_rejected_on_an_ex_date_stays_out_over_the_next_dividend(
    conn: Connection, later: list[pd.Timestamp]
) -> None:
    """Of then, no bar after it is known: what multiplied the one before may have been the action of its own day."""
    write_bars(conn, "A.NS", told(GOOD, days=DAYS[[0]]), seen_at=NOON, provider="test")
    ex = pd.DataFrame({"dividend": [2.0], "split": [1.0]}, index=DAYS[[1]])
    write_actions(conn, "A.NS", ex, seen_at=NOON, provider="test")
    write_quarantine(conn, "A.NS", pd.DataFrame([{"session": DAYS[1], "reason": "new_level"} | FAR]), seen_at=NOON)
    decide(conn, read_quarantine(conn)[0].id, said("rejected"), complete=True)
    good, far = (multiplied(bar, 1.0, 0.98) for bar in (GOOD, FAR))
    restated = Restatement("A.NS", LATER, DAYS[0].date(), DAYS[2].date(), 0.98, 2, None)
    write_restatement(conn, restated)
    fresh = told(good, far, *[good for _ in later], days=DAYS[[0, 1, *([2] if later else [])]])
    assert DAYS[1] not in without_rejected(conn, "A.NS", fresh).index


def test_a_refused_bar_is_shown_in_the_scale_of_the_closes_beside_it(conn: Connection) -> None:
    refuse(conn, high=np.inf)
    halved = told(*[multiplied(GOOD, 0.5, 0.49)] * 2, days=DAYS[[0, 2]])
    write_bars(conn, "A.NS", halved, seen_at=NOON + timedelta(hours=1), provider="test")
    (one,) = read_quarantine(conn)
    assert (one.values["close"], one.values["high"], one.close_before) == (100.5, "inf", 50.5)


def test_a_restatement_of_many_refused_bars_reads_the_bars_of_then_and_now_once(conn: Connection) -> None:
    days = pd.bdate_range("2021-01-01", periods=40, name="session").as_unit("us")
    statements: list[str] = []
    listen(conn, "before_cursor_execute", lambda *seen: statements.append(seen[2]))
    for k, factor in enumerate((1.0, 0.98)):
        good, far = (multiplied(bar, 1.0, factor) for bar in (GOOD, FAR))
        write_bars(conn, "A.NS", told(*[good] * 20, days=days[::2]), seen_at=NOON + timedelta(days=k), provider="test")
        refused = pd.DataFrame([{"session": day, "reason": "bad_tick"} | far for day in days[1::2]])
        statements.clear()
        assert write_quarantine(conn, "A.NS", refused, seen_at=NOON + timedelta(days=k)) == 20 * (1 - k)
    assert sum("FROM bars" in one for one in statements) == 2


def test_an_accepted_bar_does_not_make_the_series_another_providers(conn: Connection) -> None:
    row = {"session": DAYS[2] + pd.Timedelta(days=1), "reason": "bad_tick"} | FAR
    write_bars(conn, "A.NS", pd.DataFrame([GOOD], index=DAYS[[0]]), seen_at=NOON, provider="test")
    write_quarantine(conn, "A.NS", pd.DataFrame([row]), seen_at=NOON)
    decide(conn, read_quarantine(conn)[0].id, said("accepted"), complete=True)
    assert newest_of(conn, ["A.NS"])["A.NS"].provider == "test"
    assert read_accepted(conn, "A.NS") == {date(2021, 10, 1)}


def test_a_bar_that_is_believed_meanwhile_waits_for_nobody(conn: Connection) -> None:
    refuse(conn)
    write_bars(conn, "A.NS", pd.DataFrame([FAR], index=DAYS[[1]]), seen_at=LATER, provider="test")
    assert read_quarantine(conn) == []
    assert len(read_quarantine(conn, decided=True)) == 1


def test_held_are_the_refused_bars_after_the_newest_believed_one_until_somebody_says_what_they_are(
    conn: Connection,
) -> None:
    refuse(conn)
    assert read_held(conn) == []
    later = [{"session": pd.Timestamp(f"2021-10-0{day}"), "reason": reason} | FAR for day, reason in LATE_REFUSALS]
    write_quarantine(conn, "A.NS", pd.DataFrame(later), seen_at=NOON)
    assert read_held(conn) == [HeldBars("A.NS", date(2021, 10, 1), date(2021, 10, 4), ("bad_tick", "new_level"))]
    numbers = {one.session: one.id for one in read_quarantine(conn) if one.session is not None}
    decide(conn, numbers[date(2021, 10, 4)], said("rejected"), complete=True)
    assert read_held(conn) == [HeldBars("A.NS", date(2021, 10, 1), date(2021, 10, 1), ("new_level",))]
    decide(conn, numbers[date(2021, 10, 1)], said("accepted"), complete=True)
    assert read_held(conn) == []
