from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble.arrays import Floats
from ensemble.fills import Exits, fill_exits, stop_price, target_price
from ensemble.trading.session_bars import Bar

STOP, TARGET = 98.0, 104.0


@dataclass(frozen=True)
class Columns:
    open: Floats
    high: Floats
    low: Floats
    close: Floats


def fill(bar: Bar, *, last: bool = False) -> Exits:
    return fill_exits(bar, stop=STOP, target=TARGET, last=last)


def outcome(bar: Bar, *, last: bool = False) -> tuple[float, bool, bool]:
    exits = fill(bar, last=last)
    return float(exits.price), bool(exits.stopped), bool(exits.on_target)


price = st.one_of(st.integers(90, 112).map(float), st.floats(90, 112))
bars = st.tuples(price, price, price, price).map(lambda p: Bar(open=p[0], high=max(p), low=min(p), close=p[3]))


def test_a_low_at_the_stop_fills_at_the_stop() -> None:
    assert outcome(Bar(100, 101, 98, 100)) == (98, True, False)


def test_a_high_at_the_target_fills_at_the_target() -> None:
    assert outcome(Bar(100, 104, 99, 100)) == (104, False, True)


def test_an_open_beyond_the_stop_fills_at_the_open() -> None:
    assert outcome(Bar(95, 103, 94, 102)) == (95, True, False)


def test_an_open_beyond_the_target_fills_at_the_open() -> None:
    assert outcome(Bar(107, 108, 105, 106)) == (107, False, True)


def test_an_open_beyond_the_target_comes_before_a_low_at_the_stop() -> None:
    assert outcome(Bar(107, 108, 90, 91)) == (107, False, True)


def test_an_open_beyond_the_stop_comes_before_a_high_at_the_target() -> None:
    assert outcome(Bar(95, 120, 94, 119)) == (95, True, False)


def test_stop_and_target_in_one_bar_fills_the_stop() -> None:
    assert outcome(Bar(100, 105, 97, 104)) == (98, True, False)


def test_between_stop_and_target_the_position_stays() -> None:
    exits = fill(Bar(100, 103.9, 98.1, 103))
    assert np.isnan(exits.price)
    assert not exits.stopped
    assert not exits.on_target


def test_the_last_session_fills_at_its_close() -> None:
    assert outcome(Bar(100, 103, 99, 101), last=True) == (101, False, False)


def test_a_barrier_comes_before_the_last_close() -> None:
    assert outcome(Bar(100, 103, 97, 103), last=True) == (98, True, False)


@pytest.mark.parametrize("last", [False, True])
def test_a_missing_bar_fills_nothing(last: bool) -> None:
    nan = float("nan")
    assert np.isnan(fill(Bar(nan, nan, nan, nan), last=last).price)


@pytest.mark.parametrize("price", [90.0, 98.0, 101.0, 104.0, 110.0])
@pytest.mark.parametrize("last", [False, True])
def test_a_locked_bar_fills_nobody(price: float, last: bool) -> None:
    exits = fill(Bar(price, price, price, price), last=last)
    assert np.isnan(exits.price)
    assert not exits.stopped
    assert not exits.on_target


def test_barriers_are_percentages_of_the_entry() -> None:
    assert stop_price(2_000.0, 2) == pytest.approx(1_960)
    assert target_price(2_000.0, 4) == pytest.approx(2_080)


@given(bars, st.booleans())
@settings(deadline=None)
def test_a_fill_is_a_price_that_was_traded_in_the_bar(bar: Bar, last: bool) -> None:
    exits = fill(bar, last=last)
    assert np.isnan(exits.price) or bar.low <= exits.price <= bar.high


@given(bars, st.booleans())
@settings(deadline=None)
def test_a_stop_never_fills_better_than_the_open_or_the_stop(bar: Bar, last: bool) -> None:
    exits = fill(bar, last=last)
    if exits.stopped:
        assert exits.price == min(bar.open, STOP)


@given(bars, st.booleans())
@settings(deadline=None)
def test_a_position_leaves_exactly_when_a_barrier_is_touched_or_its_time_is_up(bar: Bar, last: bool) -> None:
    locked = bar.low == bar.high
    touched = not locked and (bar.low <= STOP or bar.high >= TARGET)
    exits = fill(bar, last=last)
    assert bool(exits.stopped | exits.on_target) == touched
    assert bool(np.isfinite(exits.price)) == (touched or (last and not locked))
    assert not (exits.stopped & exits.on_target)


@given(st.lists(bars, min_size=1, max_size=8), st.booleans())
@settings(deadline=None, max_examples=50)
def test_many_bars_at_once_fill_as_each_alone(many: list[Bar], last: bool) -> None:
    columns = Columns(*(np.array([getattr(bar, name) for bar in many]) for name in ("open", "high", "low", "close")))
    together = fill_exits(columns, stop=STOP, target=TARGET, last=last)
    alone = [fill(bar, last=last) for bar in many]
    np.testing.assert_array_equal(together.price, [float(exits.price) for exits in alone])
    np.testing.assert_array_equal(together.stopped, [bool(exits.stopped) for exits in alone])
    np.testing.assert_array_equal(together.on_target, [bool(exits.on_target) for exits in alone])
