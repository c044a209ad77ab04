"""Made-up clean bars with made-up faults in them, of which it is known what and where they are.

`python -m tests.ensemble.validation.faulty` measures: the table in docs/data-quality.md.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ensemble.bars import BAR_COLUMNS
from ensemble.validation.rules import BarRules, Refusal, Series
from ensemble.validation.sifting import sift_bars

SESSIONS = pd.bdate_range("2015-01-01", periods=500, name="session")
EDGE = 80
"""Faults lie so far from both ends: enough is known around them."""
Random = np.random.Generator


def clean_bars(random: Random, sessions: pd.DatetimeIndex = SESSIONS) -> pd.DataFrame:
    """A stock with fat tails and changing volatility, whose nights move it half as much as its days."""
    count = len(sessions)
    wildness = np.exp(np.cumsum(random.normal(0, 0.05, count)) * 0.5)
    daily = 0.015 * np.clip(wildness, 0.5, 3.0)
    tails = random.standard_t(4, (2, count)) / np.sqrt(2)
    night, day = 0.5 * daily * tails[0], 0.9 * daily * tails[1]
    close = 500 * np.exp(np.cumsum(night + day))
    opened = close / np.exp(day)
    spread = np.exp(np.abs(random.normal(0, 0.4, (2, count)) * daily))
    high, low = np.maximum(opened, close) * spread[0], np.minimum(opened, close) / spread[1]
    volume = np.round(1e6 * np.exp(random.normal(0, 0.4, count)))
    columns = {"open": opened, "high": high, "low": low, "close": close, "adj_close": close, "volume": volume}
    return pd.DataFrame(columns, index=sessions)[list(BAR_COLUMNS)]


@dataclass(frozen=True, slots=True)
class Fault:
    """How one kind of fault is made, and what it should be called."""

    spoil: Callable[[pd.DataFrame, int, Random], int]
    """Spoils the frame from that row on, and says how many rows it spoilt."""
    reasons: frozenset[Refusal]


def scaled(factor: float, longest: int) -> Callable[[pd.DataFrame, int, Random], int]:
    """Rows that are off by a constant factor."""

    def spoil(bars: pd.DataFrame, row: int, random: Random) -> int:
        length = int(random.integers(1, longest + 1))
        bars.iloc[row : row + length, :5] *= factor
        return length

    return spoil


def one_value(column: str, change: Callable[[float], float]) -> Callable[[pd.DataFrame, int, Random], int]:
    """One value of one row."""

    def spoil(bars: pd.DataFrame, row: int, random: Random) -> int:  # as all are called
        bars.iloc[row, BAR_COLUMNS.index(column)] = change(float(bars[column].iloc[row]))
        return 1

    return spoil


def tick(size: float) -> Callable[[pd.DataFrame, int, Random], int]:
    """A close that was never traded; the feed widens the range to hold it."""

    def spoil(bars: pd.DataFrame, row: int, random: Random) -> int:
        close = float(bars["close"].iloc[row]) * (1 + size if random.random() < 0.5 else 1 / (1 + size))
        bars.iloc[row, [3, 4]] = close
        bars.iloc[row, 1] = max(close, float(bars["high"].iloc[row]))
        bars.iloc[row, 2] = min(close, float(bars["low"].iloc[row]))
        return 1

    return spoil


def copied(bars: pd.DataFrame, row: int, random: Random) -> int:
    """The bar before, again and again."""
    length = int(random.integers(1, 6))
    bars.iloc[row : row + length] = bars.iloc[row - 1].to_numpy()
    return length


def phantom(bars: pd.DataFrame, row: int, random: Random) -> int:
    """A day without trade, at the close before."""
    bars.iloc[row, :4] = float(bars["close"].iloc[row - 1])
    bars.iloc[row, 5] = 0.0
    return 1


OFF_SCALE = frozenset({Refusal.MISSCALED, Refusal.BAD_TICK, Refusal.MOVE_LIMIT})
FAULTS: Mapping[str, Fault] = {
    "ten times too high, 1 to 15 rows": Fault(scaled(10.0, 15), OFF_SCALE),
    "in pence or paise, 1 to 15 rows": Fault(scaled(0.01, 15), OFF_SCALE),
    "a split of 2:1 too early, 1 to 15 rows": Fault(scaled(0.5, 15), OFF_SCALE),
    "a split of 3:2 too early, 1 to 15 rows": Fault(scaled(2 / 3, 15), OFF_SCALE),
    "a close off by a third": Fault(tick(1 / 3), OFF_SCALE),
    "a close ten times too high": Fault(tick(9.0), OFF_SCALE),
    "a high ten times too high": Fault(one_value("high", lambda price: price * 10), frozenset({Refusal.BAD_TICK})),
    "a low ten times too low": Fault(one_value("low", lambda price: price / 10), frozenset({Refusal.BAD_TICK})),
    "a close above the high": Fault(one_value("high", lambda price: price * 0.9), frozenset({Refusal.RANGE})),
    "the bar before again, 1 to 5 rows": Fault(copied, frozenset({Refusal.FROZEN})),
    "a day without trade": Fault(phantom, frozenset({Refusal.NO_VOLUME})),
    "no close": Fault(one_value("close", lambda _: np.nan), frozenset({Refusal.NOT_FINITE})),
    "an infinite volume": Fault(one_value("volume", lambda _: np.inf), frozenset({Refusal.NOT_FINITE})),
    "a price below zero": Fault(one_value("low", lambda price: -price), frozenset({Refusal.NOT_POSITIVE})),
}


@dataclass(frozen=True, slots=True)
class Measured:
    """What the sieve made of one spoilt frame."""

    spoilt: int
    refused: int
    """Of those that were spoilt, by one of the reasons that fit."""
    false_alarms: int


def measure(fault: Fault, random: Random) -> Measured:
    """One fault in clean bars."""
    bars = clean_bars(random)
    row = int(random.integers(EDGE, len(bars) - EDGE))
    length = fault.spoil(bars, row, random)
    spoilt = set(bars.index[row : row + length])
    refused = sift_bars(bars, Series("A.NS", complete=True, sessions=None), rules=BarRules()).refused
    fits = set(refused["session"][refused["reason"].isin(fault.reasons)])
    return Measured(length, len(spoilt & fits), len(set(refused["session"]) - spoilt))


def main() -> None:
    """The table, as Markdown."""
    print("| fault | rows spoilt | refused | recall | rows refused besides, of 100,000 |\n|---|---|---|---|---|")
    for name, fault in FAULTS.items():
        measured = [measure(fault, np.random.default_rng(seed)) for seed in range(200)]
        spoilt, refused = sum(one.spoilt for one in measured), sum(one.refused for one in measured)
        besides = sum(one.false_alarms for one in measured)
        print(f"| {name} | {spoilt} | {refused} | {refused / spoilt:.1%} | {besides} |")


if __name__ == "__main__":
    main()
