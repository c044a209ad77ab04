from datetime import date

import pandas as pd

from ensemble.validation.findings import INCONSISTENT, MISSING, Finding
from ensemble.validation.neighbours import DOUBTED_SESSION, beside_others
from ensemble.validation.rules import Refusal
from ensemble.validation.scorecard import score

DAYS = pd.bdate_range("2024-01-01", periods=10)


def finding(day: int, kind: str, back: int | None = None) -> Finding:
    come_back = None if back is None else date(2024, 1, back)
    return Finding("A", date(2024, 1, day), kind, "refused", "", come_back)


def listing(*rows: tuple[int, str]) -> pd.DataFrame:
    return pd.DataFrame([{"Symbol": "A", "Date": pd.Timestamp(2024, 1, day), "Kind": kind} for day, kind in rows])


def test_a_listed_row_is_found_by_a_finding_of_its_kind_on_its_day_alone() -> None:
    listed = listing((3, "ohlc_inconsistent"), (4, "ohlc_inconsistent"), (5, "ohlc_inconsistent"))
    (card,), unlisted = score([finding(3, INCONSISTENT), finding(4, Refusal.NO_VOLUME)], listed, "A")
    assert (card.listed, card.missed, card.unlisted) == (3, (date(2024, 1, 4), date(2024, 1, 5)), 0)
    assert [one.kind for one in unlisted] == [Refusal.NO_VOLUME]


def test_the_day_on_which_the_price_came_back_is_found_by_the_bad_bar_before() -> None:
    (card,), unlisted = score([finding(3, Refusal.BAD_TICK, back=4)], listing((3, "jump"), (4, "jump")), "A")
    assert (card.recall, card.precision, unlisted) == (1.0, 1.0, [])


def test_what_is_found_beside_the_list_lowers_the_precision_of_its_kind() -> None:
    listed = listing((3, "missing_session"))
    (card,), unlisted = score([finding(3, MISSING), finding(8, MISSING)], listed, "A")
    assert (card.recall, card.precision, card.unlisted) == (1.0, 0.5, 1)
    assert [one.session for one in unlisted] == [date(2024, 1, 8)]


def test_a_kind_that_no_rule_knows_may_be_found_as_anything() -> None:
    (card,), _ = score([finding(3, Refusal.FROZEN)], listing((3, "strange"), (4, "strange")), "A")
    assert card.missed == (date(2024, 1, 4),)


def told(others: dict[str, pd.DatetimeIndex], checked: frozenset[str] = frozenset()) -> Finding:
    found = {"A": [finding(3, MISSING)]} | {name: [] for name in others}
    days = {"A": DAYS.delete(2)} | others
    (one,) = beside_others(found, days, dict.fromkeys(found, "XLON"), checked)["A"]
    return one


def test_a_session_that_others_have_is_missing() -> None:
    one = told({"B": DAYS, "C": DAYS.delete(2)})
    assert one.kind == MISSING
    assert "1 of 2 others" in one.detail


def test_a_session_that_no_series_has_was_none_unless_the_calendar_is_believed() -> None:
    assert told({"B": DAYS.delete(2)}).kind == DOUBTED_SESSION
    assert told({"B": DAYS.delete(2)}, frozenset({"XLON"})).kind == MISSING


def test_a_series_that_does_not_span_the_session_says_nothing_of_it() -> None:
    assert told({"B": DAYS[5:]}).kind == MISSING
