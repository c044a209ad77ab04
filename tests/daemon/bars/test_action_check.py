"""Prices go on over a dividend or a split as it says, or the difference is told."""

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from daemon.bars.action_check import CheckedAction, check_actions
from ensemble.validation.rules import BarRules
from storage.action_store import Action, Kind

DAYS = pd.date_range("2021-01-01", periods=120, freq="B", name="session", unit="us")
EX_PLACE = 80
EX_DATE = DAYS[EX_PLACE].date()


def bars(ex_move: float) -> pd.DataFrame:
    """A stock that moves 1 % a day to and fro, and by `ex_move` over the ex-date."""
    moves = np.where(np.arange(len(DAYS)) % 2, 0.01, -0.01)
    moves[EX_PLACE] = ex_move
    close = 100 * np.cumprod(1 + moves)
    frame = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close", "adj_close"), close), index=DAYS)
    return frame.assign(volume=1000.0)


def action(kind: Kind, value: float, session: date = EX_DATE) -> Action:
    return Action("A.NS", session, kind, value, "test", datetime(2021, 10, 1, tzinfo=UTC))


def check(frame: pd.DataFrame, *actions: Action) -> list[CheckedAction]:
    return check_actions("A.NS", actions, frame, rules=BarRules())


def test_a_dividend_explains_its_part_of_the_close_before() -> None:
    frame = bars(-0.25)
    (one,) = check(frame, action("dividend", 0.25 * frame["close"].iloc[EX_PLACE - 1]))
    assert (one.move_pct, one.explained_pct, one.rest_pct) == pytest.approx((-25, -25, 0), abs=1e-9)
    assert not one.broken


def test_a_move_that_a_small_dividend_does_not_explain_is_broken() -> None:
    (one,) = check(bars(-0.25), action("dividend", 0.5))
    assert one.broken


@pytest.mark.parametrize(("move", "broken"), [(-0.01, False), (-0.5, True), (1.0, True), (-0.1, False)])
def test_over_an_adjusted_split_the_move_is_an_ordinary_one(move: float, broken: bool) -> None:
    (one,) = check(bars(move), action("split", 2.0))
    assert (one.explained_pct, one.broken) == (0.0, broken)
    # eight daily moves of 1 %, each 1.4826 times their median
    assert one.limit_pct == pytest.approx(100 * np.expm1(8 * 1.4826 * 0.01), rel=0.01)


def test_a_split_and_a_dividend_of_one_session_are_explained_together() -> None:
    frame = bars(-0.25)
    both = check(frame, action("split", 2.0), action("dividend", 0.25 * frame["close"].iloc[EX_PLACE - 1]))
    assert [one.explained_pct for one in both] == pytest.approx([-25, -25])
    assert not any(one.broken for one in both)


@pytest.mark.parametrize("session", [date(2021, 1, 1), date(2021, 5, 1), date(2030, 1, 1), date(1990, 1, 1)])
def test_without_the_bars_of_the_ex_date_and_before_nothing_is_said(session: date) -> None:
    (one,) = check(bars(0.01), action("dividend", 0.5, session))
    assert (one.move_pct, one.limit_pct, one.broken) == (None, None, False)


def test_of_a_series_too_short_to_know_its_moves_nothing_is_called_broken() -> None:
    (one,) = check(bars(-0.5).iloc[EX_PLACE - 1 : EX_PLACE + 2], action("split", 2.0))
    assert (one.limit_pct, one.broken) == (None, False)
    assert one.rest_pct == pytest.approx(-50)


def test_a_dividend_of_the_whole_price_is_no_ground_for_a_verdict() -> None:
    (one,) = check(bars(0.01), action("dividend", 1e6))
    assert (one.move_pct, one.broken) == (None, False)


def test_a_real_bonus_that_the_feed_never_adjusted_for_is_broken(market_folder: Path) -> None:
    table = pd.read_csv(market_folder / "WIT.csv", parse_dates=["Date"], index_col="Date").loc[:"2021"]
    history = table.rename(columns=str.lower)[["close"]]
    (bonus,) = check_actions("WIT", [action("split", 4 / 3, date(2019, 3, 15))], history, rules=BarRules())
    assert bonus.broken
    assert bonus.rest_pct == pytest.approx(100 * (3 / 4 - 1), abs=3)
