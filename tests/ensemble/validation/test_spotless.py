"""What passes without being looked at alone is what the sieve would keep as it is, whatever is wrong with the rest."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble.validation.rules import BarRules, Refusal, Series
from ensemble.validation.sifting import sift_bars
from ensemble.validation.spotless import spotless
from tests.ensemble.validation.faulty import FAULTS, SESSIONS, clean_bars

RULES = BarRules()
DAYS = SESSIONS.as_unit("us").rename("session")
SYMBOLS = ("A.NS", "^VIX", "INR=X", "CL=F", "^NSEI")
MOVES = st.sampled_from([0.0, 1.0, 0.5, 0.8, 0.94, 1.06, 1.2, 1.6, 3.0, 10.0, -1.0, np.nan, np.inf])


def made(seed: int, length: int) -> pd.DataFrame:
    return clean_bars(np.random.default_rng(seed), DAYS).tail(length)


def is_kept_whole(raw: pd.DataFrame, series: Series, rules: BarRules) -> bool:
    sifted = sift_bars(raw, series, rules=rules)
    return sifted.refused.empty and sifted.kept.equals(raw)


@st.composite
def spoilt(draw: st.DrawFn) -> pd.DataFrame:
    """A history with a few odd values, rows again, rows of another day, and what the named faults do."""
    bars = made(draw(st.integers(0, 30)), draw(st.integers(1, 90)))
    for _ in range(draw(st.integers(0, 3))):
        row, columns = (
            draw(st.integers(0, len(bars) - 1)),
            draw(st.sampled_from([[0], [1], [2], [3], [4], [5], [0, 1, 2, 3, 4]])),
        )
        until = row + draw(st.integers(1, 4))
        bars.iloc[row:until, columns] = bars.iloc[row:until, columns] * draw(MOVES)
    if draw(st.booleans()):
        fault = FAULTS[draw(st.sampled_from(sorted(FAULTS)))]
        if len(bars) > 20:
            fault.spoil(bars, len(bars) - draw(st.integers(1, 18)), np.random.default_rng(0))
    rows = draw(st.sampled_from([None, *range(len(bars))]))
    if rows is not None:
        bars = bars.iloc[[*range(rows + 1), *range(max(0, rows - draw(st.integers(0, 1))), len(bars))]]
    return bars


@given(
    frames=st.dictionaries(st.sampled_from(SYMBOLS), spoilt(), min_size=1),
    holiday=st.booleans(),
    limit=st.sampled_from([5.0, 50.0]),
    complete=st.booleans(),
)
def test_the_sieve_keeps_whole_what_is_spotless(
    frames: Mapping[str, pd.DataFrame], holiday: bool, limit: float, complete: bool
) -> None:
    rules = BarRules(max_move_pct=limit, max_context_move_pct=limit)
    sessions = DAYS.delete(-3) if holiday else None
    series = {symbol: Series(symbol, complete and symbol == "A.NS", sessions) for symbol in frames}
    for symbol in spotless(frames, series, rules=rules):
        assert is_kept_whole(frames[symbol], series[symbol], rules)


@pytest.mark.parametrize("name", FAULTS)
def test_no_named_fault_is_spotless_and_its_neighbours_in_the_block_are(name: str) -> None:
    series = {symbol: Series(symbol, complete=True, sessions=None) for symbol in ("A.NS", "B.NS", "C.NS")}
    calm = made(0, 60)
    bars = made(1, 60)
    FAULTS[name].spoil(bars, 40, np.random.default_rng(0))
    assert spotless({"A.NS": calm, "B.NS": bars, "C.NS": calm}, series, rules=RULES) == {"A.NS", "C.NS"}


@pytest.mark.parametrize("factor", [0.9, 1.06, 1.12])
def test_a_tick_below_the_least_factor_is_not_spotless_either(factor: float) -> None:
    random, whose = np.random.default_rng(0), Series("A.NS", complete=True, sessions=None)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.003, 60)))
    bars = made(0, 60).assign(open=close, high=close * 1.2, low=close / 1.2, close=close)
    assert spotless({"A.NS": bars}, {"A.NS": whose}, rules=RULES)
    bars.iloc[40:41, [3]] = bars.iloc[40:41, [3]] * factor
    assert sift_bars(bars, whose, rules=RULES).refused["reason"].tolist() == [Refusal.BAD_TICK]
    assert not spotless({"A.NS": bars}, {"A.NS": whose}, rules=RULES)


@pytest.mark.parametrize("unknown", ["high", "volume", None])
def test_a_copied_close_is_not_spotless_where_nothing_tells_it_apart(unknown: str | None) -> None:
    bars = made(0, 60).assign(**({} if unknown is None else {unknown: np.nan}))
    whose = {"^NSEI": Series("^NSEI", complete=False, sessions=None)}
    assert spotless({"^NSEI": bars}, whose, rules=RULES)
    bars.iloc[40:43, :4] = bars.iloc[39, :4]
    assert bool(spotless({"^NSEI": bars}, whose, rules=RULES)) == (unknown is None)


def test_most_histories_without_fault_are_spotless() -> None:
    frames = {f"S{seed}.NS": made(seed, 85) for seed in range(60)}
    series = {symbol: Series(symbol, complete=True, sessions=None) for symbol in frames}
    whole = [symbol for symbol, bars in frames.items() if is_kept_whole(bars, series[symbol], RULES)]
    assert len(spotless(frames, series, rules=RULES)) > 0.6 * len(whole) > 30


def test_what_has_not_the_shape_of_bars_is_for_the_sieve() -> None:
    whose, bars = {"A.NS": Series("A.NS", complete=True, sessions=None)}, made(0, 60).round(0)
    assert spotless({"A.NS": bars}, whose, rules=RULES)
    for odd in (
        bars.astype({"volume": int}),
        bars[bars.columns[::-1]],
        bars.tz_localize("Asia/Kolkata"),
        bars.iloc[::-1],
    ):
        assert not spotless({"A.NS": odd}, whose, rules=RULES)


def test_a_series_with_steps_is_for_the_sieve() -> None:
    bars = made(0, 60)
    for steps in ({}, {DAYS[-10].date(): 0.7}):
        whose = {"A.NS": Series("A.NS", complete=True, sessions=None, steps=steps)}
        assert bool(spotless({"A.NS": bars}, whose, rules=RULES)) == (not steps)


def test_of_no_histories_none_is_spotless() -> None:
    empty = made(0, 1).iloc[:0]
    assert spotless({}, {}, rules=RULES) == spotless({"A.NS": empty}, {"A.NS": Series("A.NS", True, None)}, rules=RULES)
