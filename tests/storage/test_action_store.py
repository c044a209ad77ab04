"""Dividends and splits: kept once, as versions, and read again as they were known."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, text

from storage.action_store import (
    Action,
    Kind,
    Restatement,
    read_actions,
    read_restatements,
    read_statements,
    state_action,
    take_back,
    write_actions,
    write_restatement,
)
from storage.feeds.feed import no_actions

NOON = datetime(2021, 10, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=1)
SPLIT_DAY, DIVIDEND_DAY = "2021-09-28", "2021-06-10"


def told(*rows: tuple[str, float, float]) -> pd.DataFrame:
    """Each row: session, dividend, split."""
    index = pd.DatetimeIndex([row[0] for row in rows], name="session").as_unit("us")
    return pd.DataFrame([row[1:] for row in rows], index=index, columns=["dividend", "split"])


def write(conn: Connection, frame: pd.DataFrame, seen_at: datetime = NOON) -> int:
    return write_actions(conn, "A.NS", frame, seen_at=seen_at, provider="test")


def known(conn: Connection, known_at: datetime | None = None) -> list[tuple[date, str, float]]:
    return [(one.session, one.kind, one.value) for one in read_actions(conn, ["A.NS"], known_at=known_at)]


def test_what_is_told_again_is_kept_once(conn: Connection) -> None:
    frame = told((DIVIDEND_DAY, 7.5, 1.0), (SPLIT_DAY, 0.0, 2.0))
    assert (write(conn, frame), write(conn, frame), write(conn, frame, LATER)) == (2, 0, 0)
    assert known(conn) == [(date(2021, 6, 10), "dividend", 7.5), (date(2021, 9, 28), "split", 2.0)]
    assert {(one.provider, one.seen_at) for one in read_actions(conn)} == {("test", NOON)}


def test_a_dividend_that_a_later_split_adjusts_is_another_version_and_the_old_one_is_known_as_of_before(
    conn: Connection,
) -> None:
    write(conn, told((DIVIDEND_DAY, 7.5, 1.0)))
    assert write(conn, told((DIVIDEND_DAY, 3.75, 1.0), (SPLIT_DAY, 0.0, 2.0)), LATER) == 2
    assert known(conn) == [(date(2021, 6, 10), "dividend", 3.75), (date(2021, 9, 28), "split", 2.0)]
    assert known(conn, LATER - timedelta(seconds=1)) == [(date(2021, 6, 10), "dividend", 7.5)]
    assert known(conn, NOON - timedelta(seconds=1)) == []


def test_a_feed_that_falls_silent_denies_nothing(conn: Connection) -> None:
    write(conn, told((DIVIDEND_DAY, 7.5, 1.0)))
    write(conn, no_actions(), LATER)
    write(conn, told((SPLIT_DAY, 0.0, 2.0)), LATER)
    assert (date(2021, 6, 10), "dividend", 7.5) in known(conn)


def test_a_dividend_and_a_split_of_one_session_are_two_actions(conn: Connection) -> None:
    assert write(conn, told((SPLIT_DAY, 1.5, 2.0))) == 2
    assert [kind for _, kind, _ in known(conn)] == ["dividend", "split"]


@pytest.mark.parametrize("value", [float("inf"), float("nan"), -1.0, 1e12])
def test_what_is_no_sum_of_money_and_no_ratio_is_no_action(conn: Connection, value: float) -> None:
    assert write(conn, told((DIVIDEND_DAY, value, value))) == 0


@settings(max_examples=50)
@given(st.permutations([0, 1, 2, 3]), st.permutations([1.0, 2.0, 3.0, 4.0]))
def test_the_order_in_which_different_values_are_written_changes_nothing(
    shared_store: Engine, order: list[int], values: list[float]
) -> None:
    moments = [NOON + timedelta(hours=hour) for hour in range(4)]
    with shared_store.connect() as conn, conn.begin() as trial:
        for place in order:
            write(conn, told((DIVIDEND_DAY, values[place], 1.0)), moments[place])
        seen = [known(conn, moment) for moment in moments]
        assert known(conn) == seen[-1]
        trial.rollback()
    assert [one for ((_, _, one),) in seen] == values


def test_a_restatement_is_read_as_it_was_written_and_joins_its_action_in_sql(conn: Connection) -> None:
    write(conn, told((SPLIT_DAY, 0.0, 2.0)))
    found = Restatement("A.NS", NOON, date(2018, 1, 1), date(2021, 9, 27), 0.5, 900, f"split {SPLIT_DAY}")
    write_restatement(conn, found)
    write_restatement(conn, found)
    assert read_restatements(conn, "A.NS") == read_restatements(conn) == [found]
    joined = text("""
        SELECT value FROM restatements JOIN corporate_actions AS action ON action.symbol = restatements.symbol
        AND explained_by = action.kind || ' ' || action.session
    """)
    assert conn.execute(joined).scalars().all() == [2.0]


def test_what_a_person_states_is_kept_as_versions_beside_what_feeds_tell(conn: Connection) -> None:
    stated = Action("A.NS", date(2023, 7, 20), "demerger", 0.25, "stated", NOON)
    write(conn, told(("2023-07-20", 1.0, 1.0)))
    assert state_action(conn, stated)
    assert not state_action(conn, replace(stated, seen_at=LATER))
    assert state_action(conn, replace(stated, value=0.2, seen_at=LATER))
    assert known(conn)[0] == (date(2023, 7, 20), "demerger", 0.2)
    assert [one.left for one in read_actions(conn, known_at=NOON)] == [0.75, 1.0]
    assert read_statements(conn, after=NOON, until=LATER) == [(LATER, "A.NS", date(2023, 7, 20))]


def test_what_was_stated_can_be_taken_back_and_stated_again_and_what_feeds_tell_can_not(conn: Connection) -> None:
    day, third = date(2023, 7, 20), LATER + timedelta(days=1)
    write(conn, told(("2023-07-20", 1.0, 1.0)))
    state_action(conn, Action("A.NS", day, "demerger", 0.25, "stated", NOON))
    assert take_back(conn, "A.NS", day, "demerger", now=LATER)
    assert not take_back(conn, "A.NS", day, "demerger", now=third)
    assert not take_back(conn, "A.NS", day, "dividend", now=third)
    assert (known(conn), known(conn, NOON)[0]) == ([(day, "dividend", 1.0)], (day, "demerger", 0.25))
    assert read_statements(conn, after=NOON, until=LATER) == [(LATER, "A.NS", day)]
    assert state_action(conn, Action("A.NS", day, "demerger", 0.25, "stated", third))
    assert known(conn)[0] == (day, "demerger", 0.25)
    assert known(conn, LATER) == [(day, "dividend", 1.0)]


@pytest.mark.parametrize(("kind", "value", "left"), [("bonus", 4 / 3, 0.75), ("rights", 0.1, 0.9), ("split", 2.0, 1.0)])
def test_what_is_left_of_a_price_is_what_no_feed_adjusts_for(kind: Kind, value: float, left: float) -> None:
    assert Action("A.NS", date(2023, 7, 20), kind, value, "any", NOON).left == pytest.approx(left)
