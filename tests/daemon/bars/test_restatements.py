"""What a restated history is told as: by which factor, which bars, and why."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from daemon.bars.restatements import is_restated, restatement
from storage.action_store import Action, Kind

NOW = datetime(2021, 10, 1, tzinfo=UTC)
DAYS = pd.date_range("2021-01-01", periods=40, freq="B", name="session", unit="us")
STORED_UNTIL = 30


def bars(count: int = len(DAYS)) -> pd.DataFrame:
    close = 100 + np.arange(len(DAYS), dtype=np.float64)
    return pd.DataFrame({"close": close, "adj_close": close}, index=DAYS).iloc[:count]


def scaled(factor: float, before: int) -> pd.DataFrame:
    """The history, with adj_close and, as at a split, close multiplied before that place."""
    fresh = bars().copy()
    fresh.iloc[:before] *= factor
    return fresh


def action(kind: Kind, value: float, place: int) -> Action:
    return Action("A", DAYS[place].date(), kind, value, "test", NOW)


def explained(fresh: pd.DataFrame, *actions: Action) -> str | None:
    found = restatement("A", bars(STORED_UNTIL), fresh, actions, NOW)
    assert found is not None
    return found.explained_by


def test_a_split_after_the_stored_bars_explains_that_all_of_them_were_divided() -> None:
    found = restatement("A", bars(STORED_UNTIL), scaled(0.5, 33), [action("split", 2.0, 33)], NOW)
    assert found is not None
    assert (found.first_session, found.last_session) == (DAYS[0].date(), DAYS[STORED_UNTIL - 1].date())
    assert (found.factor, found.bars_changed) == (0.5, STORED_UNTIL)
    assert found.explained_by == f"split {DAYS[33].date()}"


def test_a_split_that_the_feed_told_late_is_found_where_the_multiplied_bars_end() -> None:
    found = restatement("A", bars(STORED_UNTIL), scaled(0.5, 20), [action("split", 2.0, 20)], NOW)
    assert found is not None
    assert (found.last_session, found.bars_changed) == (DAYS[19].date(), 20)
    assert found.explained_by == f"split {DAYS[20].date()}"


def test_a_bar_without_prices_among_the_oldest_hides_no_restatement() -> None:
    fresh = scaled(0.5, 33)
    fresh.iloc[1] = np.nan
    assert is_restated(bars(STORED_UNTIL), fresh)


def test_a_dividend_explains_its_own_part_of_the_close_before_and_no_other() -> None:
    fresh = bars()
    factor = 1 - 2.0 / fresh["close"].iloc[32]
    fresh = fresh.assign(adj_close=fresh["adj_close"].where(np.arange(len(DAYS)) >= 33, fresh["adj_close"] * factor))
    assert explained(fresh, action("dividend", 2.0, 33)) == f"dividend {DAYS[33].date()}"
    assert explained(fresh, action("dividend", 3.0, 33)) is None


def test_two_actions_since_the_stored_bars_explain_it_together() -> None:
    fresh = scaled(0.5 / 3, 32)
    both = explained(fresh, action("split", 2.0, 31), action("split", 3.0, 32))
    assert both == f"split {DAYS[31].date()} and split {DAYS[32].date()}"


@pytest.mark.parametrize("place", [5, 25])
def test_an_action_elsewhere_explains_nothing(place: int) -> None:
    assert explained(scaled(0.5, 20), action("split", 2.0, place)) is None


def test_a_correction_of_one_bar_is_no_restatement_and_does_not_change_the_factor_of_one() -> None:
    corrected = bars()
    corrected.iloc[1:2] *= 1.1
    assert not is_restated(bars(STORED_UNTIL), corrected)
    fresh = scaled(0.5, 33)
    fresh.iloc[7:8] *= 1.1
    found = restatement("A", bars(STORED_UNTIL), fresh, [], NOW)
    assert found is not None
    assert found.factor == 0.5


def test_prices_below_zero_and_unchanged_ones_make_no_restatement() -> None:
    assert restatement("CL=F", -bars(), -2 * bars(), [], NOW) is None
    assert restatement("A", bars(), bars(), [], NOW) is None
