"""What past trades earned equals walking each of them bar by bar, and nothing that came later is in it."""

from collections import defaultdict
from datetime import date
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble.labels import LABELS, label_bars
from ensemble.sessions import load_calendar
from ensemble.trading.limits import RiskLimits
from ensemble.trading.payoffs import MIN_TRADES, PAYOFF_SESSIONS, PastTrades, past_trades

SESSIONS = load_calendar("XNSE", first=date(2018, 1, 1), last=date(2020, 12, 31)).sessions
LIMITS = RiskLimits(stop_loss_pct=2, take_profit_pct=3, max_holding_sessions=4)
HOLDING = LIMITS.max_holding_sessions
N = 120


def walk(seed: int, count: int = N) -> pd.DataFrame:
    """Bars of the first `count` sessions, some of them missing or locked."""
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.012, count)))
    opened = np.concatenate([[100.0], close[:-1]]) * np.exp(random.normal(0, 0.006, count))
    high = np.maximum(opened, close) * np.exp(np.abs(random.normal(0, 0.008, count)))
    low = np.minimum(opened, close) / np.exp(np.abs(random.normal(0, 0.008, count)))
    frame = pd.DataFrame(
        {"open": opened, "high": high, "low": low, "close": close, "adj_close": close, "volume": 1.0},
        index=SESSIONS[:count],
    ).round(2)
    locked = random.random(count) < 0.03
    frame.loc[locked, ["open", "high", "low"]] = frame.loc[locked, ["close"]].to_numpy()
    return frame[random.random(count) > 0.03]


def walked(bars: pd.DataFrame, place: int, *, short: bool) -> float:
    """The return of one trade, walked bar by bar; NaN where a bar is missing, or nobody gets in or out."""
    held = bars.reindex(SESSIONS[place : place + HOLDING])
    if held["close"].isna().any() or held["high"].iloc[0] == held["low"].iloc[0]:
        return float("nan")
    entry, sign = float(held["open"].iloc[0]), -1 if short else 1
    stop, target = entry * (100 - sign * 2) / 100, entry * (100 + sign * 3) / 100
    for number, (opened, high, low, close) in enumerate(held[["open", "high", "low", "close"]].to_numpy()):
        if high == low:
            continue
        worst, best = (high, low) if short else (low, high)
        if sign * (opened - stop) <= 0 or sign * (opened - target) >= 0:
            return float(sign * (opened - entry) / entry)
        if sign * (worst - stop) <= 0:
            return float(sign * (stop - entry) / entry)
        if sign * (best - target) >= 0:
            return float(sign * (target - entry) / entry)
        if number == HOLDING - 1:
            return float(sign * (close - entry) / entry)
    return float("nan")


def trades(bars: dict[str, pd.DataFrame], label: str = "open_to_close", count: int = N) -> PastTrades:
    return past_trades(bars, sessions=SESSIONS[:count], label=label, limits=LIMITS, asked=LIMITS)


@pytest.mark.parametrize("seed", range(4))
def test_every_trade_earns_what_walking_it_bar_by_bar_does(seed: int) -> None:
    bars = {"A": walk(seed), "B": walk(seed + 50)}
    found = trades(bars)
    for row, frame in enumerate(bars.values()):
        places = range(N - HOLDING + 1)
        for returns, short in ((found.long, False), (found.short, True)):
            expected = [walked(frame, place, short=short) for place in places]
            np.testing.assert_allclose(returns[row, : len(places)], expected, rtol=0, atol=1e-12)
            assert np.isfinite(expected).sum() > N / 2


def test_trades_end_by_their_own_limits_whatever_trade_the_label_asks_about() -> None:
    bars = {"A": walk(3)}
    asked = LIMITS.model_copy(
        update={"stop_loss_pct": 7.0, "take_profit_pct": 9.0, "max_holding_sessions": HOLDING + 2}
    )
    mixed = past_trades(bars, sessions=SESSIONS[:N], label="barrier", limits=LIMITS, asked=asked)
    np.testing.assert_array_equal(mixed.long, trades(bars).long)
    expected = label_bars(bars["A"], sessions=SESSIONS[:N], limits=asked)["barrier"]
    np.testing.assert_array_equal(mixed.came_true[0], expected)
    assert not np.array_equal(mixed.came_true, trades(bars, "barrier").came_true, equal_nan=True)


def test_a_trade_goes_on_over_a_demerger_and_the_labels_are_as_prices_were() -> None:
    whole, step = walk(5), SESSIONS[20]
    bars = whole.copy()
    bars.loc[bars.index >= step, ["open", "high", "low", "close", "adj_close"]] *= 0.75
    steps = {"A": {step.date(): 0.75}}
    found = past_trades({"A": bars}, sessions=SESSIONS[:N], label="gap", limits=LIMITS, asked=LIMITS, steps=steps)
    np.testing.assert_allclose(found.long, trades({"A": whole}).long, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.short, trades({"A": whole}).short, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(found.came_true, trades({"A": bars}, "gap").came_true)
    assert np.nanmin(trades({"A": bars}).long) < -0.2


@pytest.mark.parametrize("label", LABELS)
def test_payoffs_are_the_means_over_what_the_label_came_to(label: str) -> None:
    bars = {"A": walk(1, 700), "B": walk(2, 700)}
    found = trades(bars, label, 700).payoffs(650)
    expected: dict[tuple[bool, bool], list[float]] = defaultdict(list)
    for frame in bars.values():
        came = label_bars(frame, sessions=SESSIONS[:700], limits=LIMITS)[label]
        for place in range(650 - HOLDING + 1 - PAYOFF_SESSIONS, 650 - HOLDING + 1):
            both = [walked(frame, place, short=short) for short in (False, True)]
            if np.isfinite([*both, came.iloc[place]]).all():
                for short in (False, True):
                    expected[short, bool(came.iloc[place])].append(both[short])
    assert found is not None
    for short, payoff in ((False, found.long), (True, found.short)):
        assert payoff.if_true == pytest.approx(np.mean(expected[short, True]), abs=1e-9)
        assert payoff.if_false == pytest.approx(np.mean(expected[short, False]), abs=1e-9)
        assert payoff.mean == pytest.approx(np.mean(expected[short, True] + expected[short, False]), abs=1e-9)


@settings(max_examples=30)
@given(st.integers(0, 20), st.integers(90, N - 1), st.sampled_from(LABELS), st.floats(0.5, 2))
def test_bars_that_come_later_change_nothing(seed: int, known: int, label: str, factor: float) -> None:
    before, later = walk(seed), walk(seed)
    after = later.index >= SESSIONS[known]
    later.loc[after, ["open", "high", "low", "close", "adj_close"]] *= factor
    none = later[~after]
    expected = trades({"A": before, "B": walk(99)}, label).payoffs(known)
    assert expected is not None or label == "barrier"
    assert trades({"A": later, "B": walk(99)}, label).payoffs(known) == expected
    assert trades({"A": none, "B": walk(99)}, label).payoffs(known) == expected


@pytest.mark.parametrize("label", LABELS)
def test_a_trade_counts_from_the_session_that_could_have_ended_it_last(label: str) -> None:
    bars = {"A": walk(1), "B": walk(2)}
    found = trades(bars, label)
    changed = [place for place, (one, next_one) in enumerate(pairwise(map(found.payoffs, range(N)))) if one != next_one]
    told = np.isfinite(found.long) & np.isfinite(found.short) & np.isfinite(found.came_true)
    new = [place + HOLDING - 1 for place in np.flatnonzero(told.any(axis=0)) if place + HOLDING - 1 >= changed[0]]
    assert changed == [place for place in new if place < N - 1]


def test_a_panel_that_begins_later_gives_the_same_to_the_bit() -> None:
    bars = {"A": walk(1, 700), "B": walk(2, 700)}
    start = 700 - PAYOFF_SESSIONS - HOLDING
    short = past_trades(bars, sessions=SESSIONS[start:700], label="gap", limits=LIMITS, asked=LIMITS)
    assert short.payoffs(700 - start) == trades(bars, "gap", 700).payoffs(700)


@pytest.mark.parametrize("factor", [0.5, 1 / 3, 0.98731])
def test_restated_bars_give_the_same(factor: float) -> None:
    bars = {"A": walk(1, 400), "B": walk(2, 400)}
    restated = {symbol: frame * factor for symbol, frame in bars.items()}
    assert trades(restated, count=400).payoffs(400) == trades(bars, count=400).payoffs(400)


def test_too_few_trades_of_either_kind_tell_nothing() -> None:
    rising = pd.DataFrame(
        {"open": 100.0, "high": 101.5, "low": 99.5, "close": 101.0, "adj_close": 101.0, "volume": 1.0},
        index=SESSIONS[:300],
    )
    falls = rising.assign(close=99.8)
    for count, told in ((MIN_TRADES - 1, False), (MIN_TRADES, True)):
        mixed = pd.concat([falls.iloc[:count], rising.iloc[count:]])
        assert (trades({"A": mixed}, count=300).payoffs(300) is not None) == told
    assert trades({"A": rising}, count=300).payoffs(0) is None
