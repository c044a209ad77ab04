"""Bars without their scale, and which windows hold other bars than before.

A vendor restates: at a split or dividend it multiplies all earlier prices by a constant. Features are ratios, so
nothing is learnt anew from that, but they move in their last digits, and no rounding is safe: it has borders. So what
is compared are the ratios that a restatement leaves alone, each within TOLERANCE of the ratio seen first. One inside
it counts as the one seen first, to the bit; one outside it is a correction and counts as what it is now. The digest of
a window is of those ratios, so it changes when, and only when, a bar in the window was added, dropped or corrected.
"""

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property

import numpy as np
import pandas as pd

from ensemble.arrays import Integers, Mask, Singles
from ensemble.features.matrix import Market

TOLERANCE = 1e-5
"""Relative. A vendor's float32 moves a ratio by 1e-7, four decimals of a price of 20 by 5e-6; a tick is 2e-5."""
REACH_SESSIONS = 300
"""Sessions that a row's features look back. The share of up-gaps alone looks further: one old gap more or less moves it
by less than a thousandth, which is no reason to train again."""
TRADED = ("open", "high", "low", "close", "adj_close", "volume")
LOOKED_AT = ("open", "close", "adj_close")
"""What features read of a context bar; vendors revise the rest for weeks."""
STEPPED = ("close", "adj_close", "volume")
"""Compared with the bar before; the others with the close of their own bar."""


@dataclass(frozen=True, slots=True)
class Ratios:
    """One series: `values` (n_bars, n_columns) are logarithms of ratios, NaN unknown; the columns with `steps` have
    the bar before as denominator. `days` (n_bars,) are the sessions, counted from 1970.
    """

    days: Integers
    values: Singles
    steps: Mask


def bar_ratios(bars: pd.DataFrame, columns: Sequence[str]) -> Ratios:
    """The ratios of a bars frame, in the order of `columns`, which are TRADED or LOOKED_AT."""
    close = bars["close"].to_numpy(np.float64)
    steps = np.array([name in STEPPED for name in columns])
    ratios = np.full((len(bars), len(columns)), np.nan)
    with np.errstate(all="ignore"):  # a context close may lie below zero: it has no logarithm, and no feature either
        for column, name in enumerate(columns):
            values = bars[name].to_numpy(np.float64)
            if steps[column]:
                ratios[1:, column] = np.log(values[1:] / values[:-1])
            else:
                ratios[:, column] = np.log(values / close)
    ratios[~np.isfinite(ratios)] = np.nan
    return Ratios(_days(pd.DatetimeIndex(bars.index)), ratios.astype(np.float32), steps)


def as_first_seen(now: Ratios, before: Ratios) -> Ratios:
    """`now`, each ratio that lies within TOLERANCE of its counterpart in `before` replaced by that."""
    place = np.searchsorted(before.days, now.days)
    known = place < len(before.days)
    known[known] = before.days[place[known]] == now.days[known]
    values = now.values.copy()
    seen = before.values[place[known]]
    same = np.isclose(values[known], seen, rtol=0, atol=TOLERANCE, equal_nan=True)
    values[known] = np.where(same, seen, values[known])
    return Ratios(now.days, values, now.steps)


def with_later(now: Ratios, before: Ratios) -> Ratios:
    """`now`, followed by the bars of `before` that are newer: those of a backtest's future."""
    if len(now.days) == 0:
        return before
    later = before.days > now.days[-1]
    return Ratios(
        np.concatenate([now.days, before.days[later]]),
        np.concatenate([now.values, before.values[later]]),
        now.steps,
    )


def packed(series: Mapping[str, Ratios]) -> bytes:
    """The series as one .npz; equal series give equal bytes."""
    arrays = {
        f"{name} {one.name}": getattr(ratios, one.name) for name, ratios in series.items() for one in fields(Ratios)
    }
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{name: arrays[name] for name in sorted(arrays)})
    return buffer.getvalue()


def unpacked(content: bytes) -> dict[str, Ratios]:
    """The series that `packed` wrote; none in an empty content."""
    if not content:
        return {}
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        names = sorted({name.rpartition(" ")[0] for name in archive.files})
        return {name: Ratios(*(archive[f"{name} {one.name}"] for one in fields(Ratios))) for name in names}


@dataclass(frozen=True)
class BarDigests:
    """Digests of stretches of a market's bars. Stretches are kept by the month, so that a window of years is cheap.

    All bars of all series lie in one table, ordered by the first row of the panel that each can enter.
    """

    sessions: pd.DatetimeIndex
    names: tuple[str, ...]
    steps: Mask
    """(n_series, n_columns): which columns look at the bar before."""
    rows: Integers
    """(n_bars,), not decreasing."""
    series: Integers
    """(n_bars,): place in `names`."""
    days: Integers
    values: Singles
    """(n_bars, n_columns): the ratios, NaN in columns that the series has not."""
    _stretches: dict[tuple[int, int, bool], bytes] = field(default_factory=dict)

    def digest(self, rows: slice) -> str:
        """SHA-256 of the sessions and bars in `rows`, and in the REACH_SESSIONS rows before them; hexadecimal."""
        start = max(rows.start - REACH_SESSIONS, 0)
        inside = self._borders[(self._borders > start) & (self._borders < rows.stop)].tolist()
        stretches = zip([start, *inside], [*inside, rows.stop], strict=True)
        parts = [self._stretch(*stretch, opens=stretch[0] == start) for stretch in stretches]
        # Where the calendar begins inside the reach, windows of several lengths hold the same rows.
        head = "\n".join((*self.names, str(rows.start - start)))
        return hashlib.sha256(head.encode() + b"".join(parts)).hexdigest()

    @cached_property
    def _borders(self) -> Integers:
        """The first row of each month but the first."""
        month = np.asarray(self.sessions.year * 12 + self.sessions.month)
        return (np.flatnonzero(np.diff(month)) + 1).astype(np.int64)

    def _stretch(self, start: int, stop: int, *, opens: bool) -> bytes:
        """Where it opens a window, the steps of each series' first bar, which look out of it, are left out."""
        key = start, stop, opens
        if key not in self._stretches:
            bars = slice(*np.searchsorted(self.rows, (start, stop)))
            series, values = self.series[bars], self.values[bars]
            if opens:
                of_series, first = np.unique(series, return_index=True)
                values = values.copy()
                values[first] = np.where(self.steps[of_series], np.nan, values[first])
            content = (_days(self.sessions[start:stop]), series, self.days[bars], values)
            self._stretches[key] = hashlib.sha256(b"".join(one.tobytes() for one in content)).digest()
        return self._stretches[key]


def market_ratios(market: Market) -> dict[str, Ratios]:
    """The ratios of every series of the market; traded and looked at are two things, though of one symbol."""
    traded = {f"{symbol} traded": bar_ratios(bars, TRADED) for symbol, bars in market.bars.items()}
    return traded | {f"{symbol} context": bar_ratios(bars, LOOKED_AT) for symbol, (_, bars) in market.context.items()}


def bar_digests(market: Market, ratios: Mapping[str, Ratios]) -> BarDigests:
    """Places `ratios`, as from `market_ratios`, on the market's sessions: what a panel of all of them is built from."""
    calendar, decisions = market.calendar, market.calendar.decisions(market.decision_time)
    # A traded bar first enters as the label of its own session, a context bar in the first decision that knows it.
    rows = {f"{symbol} traded": calendar.sessions.searchsorted(bars.index) for symbol, bars in market.bars.items()}
    for symbol, (exchange, bars) in market.context.items():
        known_at = market.known_at(pd.DatetimeIndex(bars.index), exchange)
        rows[f"{symbol} context"] = decisions.searchsorted(known_at)
    placed = np.concatenate([rows[name] for name in ratios])
    order = np.argsort(placed, kind="stable")
    return BarDigests(
        calendar.sessions,
        tuple(ratios),
        np.stack([_widened(one.steps[None])[0] == 1 for one in ratios.values()]),
        placed[order].astype(np.int64),
        np.repeat(np.arange(len(ratios)), [len(one.days) for one in ratios.values()])[order],
        np.concatenate([one.days for one in ratios.values()])[order],
        np.concatenate([_widened(one.values) for one in ratios.values()])[order],
    )


def _widened(columns: Singles | Mask) -> Singles:
    """Followed by NaN up to as many columns as TRADED has."""
    wide = np.full((len(columns), len(TRADED)), np.nan, dtype=np.float32)
    wide[:, : columns.shape[1]] = columns
    return wide


def _days(sessions: pd.DatetimeIndex) -> Integers:
    """Counted from 1970."""
    return sessions.to_numpy().astype("datetime64[D]").astype(np.int64)
