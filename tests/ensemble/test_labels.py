import sqlite3
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble.labels import LABELS, label_bars, label_horizon
from ensemble.trading.account import Account, settle
from ensemble.trading.costs import Costs, Schedule
from ensemble.trading.limits import RiskLimits
from ensemble.trading.rules import TradingRules
from ensemble.trading.session_bars import SessionBars
from ensemble.trading.signals import Action, Reason, Signal

LIMITS = RiskLimits(stop_loss_pct=5, take_profit_pct=10, max_holding_sessions=3)
FREE = Costs(schedule=Schedule.FLAT, commission_bp=0, slippage_bp=0)

Ohlc = tuple[float, float, float, float]
CALM: Ohlc = (100, 101, 99, 100)


def days(count: int) -> pd.DatetimeIndex:
    return pd.date_range("2021-01-04", periods=count, name="session")


def frame(rows: list[Ohlc | None]) -> pd.DataFrame:
    """A bars frame on consecutive days; None is a session without a bar."""
    present = [row is not None for row in rows]
    prices = np.array([row for row in rows if row is not None], dtype=np.float64).reshape(-1, 4)
    bars = pd.DataFrame(prices, index=days(len(rows))[present], columns=["open", "high", "low", "close"])
    return bars.assign(adj_close=bars["close"], volume=1e6)


def labels(rows: list[Ohlc | None], limits: RiskLimits = LIMITS) -> pd.DataFrame:
    return label_bars(frame(rows), sessions=days(len(rows)), limits=limits)


def barrier(rows: list[Ohlc | None]) -> float:
    """The first session's barrier label."""
    return float(labels(rows)["barrier"].iloc[0])


# Whole prices on a narrow grid, so that stops and targets are often met exactly.
price = st.integers(88, 116)
spread = st.integers(0, 9)
ohlc = st.tuples(price, price, spread, spread).map(
    lambda row: (float(row[0]), float(max(row[:2]) + row[2]), float(min(row[:2]) - row[3]), float(row[1]))
)
some_limits = st.builds(
    RiskLimits,
    stop_loss_pct=st.sampled_from([1.0, 5.0, 10.0, 25.0]),
    take_profit_pct=st.sampled_from([1.0, 5.0, 10.0, 25.0]),
    max_holding_sessions=st.integers(1, 5),
)


@given(st.lists(ohlc, min_size=1, max_size=12))
@settings(deadline=None, max_examples=60)
def test_one_session_labels_equal_sql_window_functions(rows: list[Ohlc]) -> None:
    with sqlite3.connect(":memory:") as database:
        database.execute("CREATE TABLE bars (session INTEGER PRIMARY KEY, open REAL, close REAL)")
        database.executemany("INSERT INTO bars VALUES (?, ?, ?)", [(i, r[0], r[3]) for i, r in enumerate(rows)])
        expected = database.execute(
            "SELECT open > lag(close) OVER w, close > lag(close) OVER w, close > open FROM bars"
            " WINDOW w AS (ORDER BY session)"
        ).fetchall()
    database.close()
    got = labels(list(rows))[["gap", "close_to_close", "open_to_close"]]
    np.testing.assert_array_equal(got.to_numpy(), np.array(expected, dtype=np.float64))


def test_the_table_has_a_row_a_session_and_a_column_a_label() -> None:
    table = labels([CALM, None, CALM])
    assert tuple(table.columns) == LABELS
    assert len(table) == 3
    assert set(table.dtypes) == {np.dtype(np.float64)}


def test_a_missing_previous_session_leaves_the_moves_since_it_unknown() -> None:
    table = labels([CALM, None, (100, 105, 99, 104)])
    assert table["gap"].isna().all()
    assert table["close_to_close"].isna().all()
    assert table["open_to_close"].tolist()[2] == 1.0
    assert np.isnan(table["open_to_close"].iloc[1])


def test_no_move_is_not_a_rise() -> None:
    table = labels([(100, 101, 99, 100), (100, 101, 99, 100)])
    assert table[["gap", "close_to_close", "open_to_close"]].iloc[1].tolist() == [0, 0, 0]


def test_a_bar_outside_the_sessions_is_not_looked_at() -> None:
    bars = frame([CALM, (50, 50, 50, 50), (101, 102, 100, 101)])
    table = label_bars(bars, sessions=days(3)[[0, 2]], limits=LIMITS)
    assert table["gap"].iloc[1] == 1.0


def test_sessions_in_another_time_unit_find_the_same_bars() -> None:
    bars = frame([CALM, (102, 103, 101, 102)])
    for unit in ("s", "ms", "us", "ns"):
        table = label_bars(bars, sessions=days(2).as_unit(unit), limits=LIMITS)
        assert table["gap"].iloc[1] == 1.0


def test_sessions_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="strictly increasing"):
        label_bars(frame([CALM, CALM]), sessions=days(2)[::-1], limits=LIMITS)


def test_a_symbol_without_bars_has_no_labels() -> None:
    assert labels([None, None]).isna().to_numpy().all()


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([CALM, (101, 111, 100, 110), CALM], 1, id="target"),
        pytest.param([CALM, (99, 100, 94, 96), (100, 120, 99, 120)], 0, id="stop before a later target"),
        pytest.param([CALM, (99, 111, 94, 110), CALM], 0, id="stop and target in one bar"),
        pytest.param([CALM, (112, 113, 90, 91), CALM], 1, id="open beyond the target, stop in the same bar"),
        pytest.param([CALM, (90, 120, 89, 119), CALM], 0, id="open beyond the stop, target in the same bar"),
        pytest.param([(100, 110, 99, 100), CALM, CALM], 1, id="target in the entry bar"),
        pytest.param([(100, 101, 95, 100), CALM, CALM], 0, id="stop in the entry bar"),
        pytest.param([CALM, CALM, (100, 104, 99, 103)], 1, id="time exit above the entry"),
        pytest.param([CALM, CALM, CALM], 0, id="time exit at the entry"),
        pytest.param([CALM, CALM, (100, 101, 96, 97)], 0, id="time exit below the entry"),
    ],
)
def test_the_barrier_label_is_one_when_the_position_leaves_above_its_entry(
    rows: list[Ohlc | None], expected: float
) -> None:
    assert barrier(rows) == expected


def test_a_quick_exit_is_not_known_before_the_whole_horizon_is_past() -> None:
    target_at_once: Ohlc = (100, 115, 99, 100)
    assert np.isnan(barrier([target_at_once, CALM]))
    assert np.isnan(barrier([target_at_once, CALM, None]))
    assert barrier([target_at_once, CALM, CALM]) == 1


def test_a_missing_bar_before_the_exit_leaves_the_barrier_label_unknown() -> None:
    target: Ohlc = (100, 115, 99, 100)
    assert np.isnan(barrier([CALM, None, target]))
    assert np.isnan(barrier([None, target, target]))
    assert barrier([CALM, target, None, CALM]) == 1


def test_a_locked_bar_lets_nobody_in_or_out() -> None:
    locked: Ohlc = (120, 120, 120, 120)
    assert np.isnan(barrier([locked, CALM, CALM]))
    assert np.isnan(barrier([CALM, CALM, locked]))
    assert barrier([CALM, locked, (100, 101, 99, 101)]) == 1


@given(st.lists(st.one_of(st.none(), ohlc), min_size=1, max_size=9), some_limits)
@settings(deadline=None, max_examples=80)
def test_the_barrier_label_is_what_the_account_would_have_made(rows: list[Ohlc | None], limits: RiskLimits) -> None:
    got = labels(rows, limits)["barrier"]
    expected = [settled_label(rows, entry, limits) for entry in range(len(rows))]
    np.testing.assert_array_equal(got.to_numpy(), np.array(expected, dtype=np.float64))


def settled_label(rows: list[Ohlc | None], entry: int, limits: RiskLimits) -> float:
    """Buy a share at the open of session `entry` and settle until it is sold; NaN where that is not known."""
    bars = SessionBars({"X": frame(rows)})
    horizon = [day.date() for day in days(len(rows))[entry : entry + limits.max_holding_sessions]]
    if len(horizon) < limits.max_holding_sessions or not any(rows[entry + len(horizon) - 1 :]):
        return np.nan
    account = Account(cash=1e6, positions=(), peak_equity=1e6)
    for day in horizon:
        if not (today := bars.on(day)):
            return np.nan
        orders = [buy_signal(day, limits)] if day == horizon[0] else []
        rules = TradingRules(limits, FREE)
        settlement = settle(account, session=day, bars=today, signals=orders, rules=rules)
        if settlement.trades:
            return float(settlement.trades[0].profit > 0)
        account = settlement.account
    assert today["X"].high == today["X"].low or not account.positions  # only a locked bar keeps it past its horizon
    return np.nan


def buy_signal(session: date, limits: RiskLimits) -> Signal:
    return Signal(
        session=session,
        symbol="X",
        label="barrier",
        action=Action.BUY,
        probability=0.9,
        confidence=0.9,
        quantity=1,
        reference_price=100.0,
        stop_loss_pct=limits.stop_loss_pct,
        take_profit_pct=limits.take_profit_pct,
        reasons=(Reason.CONFIDENT,),
        late=False,
        actionable=True,
        value_limit=1e9,
    )


@given(st.lists(ohlc, min_size=6, max_size=10), st.lists(ohlc, min_size=6, max_size=10), st.integers(0, 5))
@settings(deadline=None, max_examples=60)
def test_bars_after_the_label_end_change_nothing(rows: list[Ohlc], other: list[Ohlc], session: int) -> None:
    before = labels(list(rows))
    for label in LABELS:
        end = session + label_horizon(label, LIMITS)
        changed: list[Ohlc | None] = [*rows[: end + 1], *other[end + 1 :]]
        if end < len(rows):
            assert labels(changed)[label].iloc[session] == pytest.approx(before[label].iloc[session], nan_ok=True)


@given(st.lists(ohlc, min_size=1, max_size=10), st.sampled_from([0.125, 0.5, 2.0, 16.0]))
@settings(deadline=None, max_examples=40)
def test_labels_do_not_know_the_price_level(rows: list[Ohlc], factor: float) -> None:
    scaled: list[Ohlc | None] = [(o * factor, h * factor, low * factor, c * factor) for o, h, low, c in rows]
    pd.testing.assert_frame_equal(labels(scaled), labels(list(rows)))


def test_only_the_barrier_label_ends_after_its_session() -> None:
    assert {label: label_horizon(label, LIMITS) for label in LABELS} == {
        "gap": 0,
        "close_to_close": 0,
        "open_to_close": 0,
        "barrier": 2,
    }


def test_an_unknown_label_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r'label was "next_week"; it must be one of gap, '):
        label_horizon("next_week", LIMITS)
