"""What there is to say about a whole series: every bar refused or mended, what is missing, what is only strange."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
import pandas as pd

from ensemble.arrays import Mask
from ensemble.bars import BAR_COLUMNS
from ensemble.validation.asset_class import class_rules
from ensemble.validation.price_path import jumps, price_path, range_excess
from ensemble.validation.rows import as_floats
from ensemble.validation.rules import BarRules, Series, Sifted
from ensemble.validation.sifting import sift_bars

Verdict = Literal["refused", "mended", "kept", "missing"]
JUMP, BELOW_ZERO, INCONSISTENT, EMPTY = "jump", "below_zero", "inconsistent", "empty"
MISSING, GAP, UNKNOWN_SESSION = "missing_session", "gap", "unknown_session"
JUMP_SCALES, LEAST_JUMP = 10.0, 0.1
"""Daily scales, and in logarithms: the least that is reported as one."""
LONG_GAP_WEEKDAYS = 5
"""Missing in a row, from which on they count as missing where no calendar knows the holidays."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One bar, or a run of them, of one symbol."""

    symbol: str
    session: date
    kind: str
    """A Refusal, or what is said of a bar that is kept or missing."""
    verdict: Verdict
    detail: str
    back: date | None = None
    """The first bar that is good again, at which the price comes back; None: there is none, or nothing to come back."""


@dataclass(frozen=True, slots=True, eq=False)
class Days:
    """When bars of a series are expected."""

    sessions: pd.DatetimeIndex | None
    """None: nothing is known of its exchange."""
    certain: bool = True
    """Bars of other days are refused; else they are reported: the calendars of other exchanges are not checked."""
    holidays: bool = True
    """They are known; else a missing weekday says nothing, a long row of them does."""


def examine(raw: pd.DataFrame, series: Series, days: Days, *, rules: BarRules) -> tuple[Sifted, list[Finding]]:
    """What is kept and refused of a series from its beginning, and all there is to say of it, oldest first."""
    sifted = sift_bars(raw, series, rules=rules)
    rows = as_floats(raw)
    rows = rows[rows.index.notna()]
    found = [*_refused(sifted, series), *_mended(rows, sifted, series), *_strange(sifted.kept, series)]
    if days.sessions is not None and len(rows):
        found += [] if days.certain else _unexpected(rows, series.symbol, days.sessions)
        found += _missing(pd.DatetimeIndex(rows.index), days.sessions, series.symbol, holidays=days.holidays)
    return sifted, sorted(found, key=lambda finding: (finding.session, finding.kind))


def _refused(sifted: Sifted, series: Series) -> Iterator[Finding]:
    kept = pd.DatetimeIndex(sifted.kept.index)
    for row in sifted.refused.to_dict("records"):
        if pd.isna(row["session"]):
            yield Finding(series.symbol, date.min, row["reason"], "refused", "no readable date")
            continue
        place = int(kept.searchsorted(row["session"], side="right"))
        back = kept[place].date() if place < len(kept) else None
        prices = " ".join(f"{name[0].upper()} {row[name]:.6g}" for name in BAR_COLUMNS if name != "adj_close")
        yield Finding(series.symbol, row["session"].date(), row["reason"], "refused", prices, back)


def _mended(rows: pd.DataFrame, sifted: Sifted, series: Series) -> Iterator[Finding]:
    """Context bars that lost a part; what a feed never gave is told once."""
    if series.complete:
        return
    own = rows[~rows.index.duplicated()].reindex(sifted.kept.index)
    lost = {name: (own[name].notna() & sifted.kept[name].isna()).to_numpy() for name in ("open", "high", "low")}
    for place in np.flatnonzero(np.logical_or.reduce(list(lost.values()))).tolist():
        names = [name for name, gone in lost.items() if gone[place]]
        values = " ".join(f"{name[0].upper()} {own[name].iloc[place]:.6g}" for name in BAR_COLUMNS[:4])
        yield Finding(series.symbol, _day(own, place), INCONSISTENT, "mended", f"{values}: without {', '.join(names)}")
    empty = own[["high", "low"]].isna().all(axis=1).to_numpy()
    if empty.any():
        count, first = int(empty.sum()), int(np.argmax(empty))
        yield Finding(series.symbol, _day(own, first), EMPTY, "mended", f"{count} of {len(own)} bars have no range")


def _strange(kept: pd.DataFrame, series: Series) -> Iterator[Finding]:
    """Bars that are kept and worth a look."""
    below = (kept[list(BAR_COLUMNS[:4])] <= 0).any(axis=1).to_numpy()
    for place in np.flatnonzero(below).tolist():
        yield Finding(
            series.symbol, _day(kept, place), BELOW_ZERO, "kept", f"closed at {kept['close'].iloc[place]:.6g}"
        )
    above = kept[(kept["close"] > 0).to_numpy()]
    values = {name: above[name].to_numpy() for name in BAR_COLUMNS[:4]}
    path = price_path(values | {"excess": range_excess(values)}, pd.DatetimeIndex(above.index))
    own = class_rules(series.symbol)
    sigmas, least = JUMP_SCALES * own.wildness, max(LEAST_JUMP, own.least_move)
    for place in jumps(path, sigmas, least).tolist():
        move, scale = float(path.moves[place]), float(path.scale[place])
        detail = f"{np.expm1(move):+.1%}, {abs(move) / scale:.0f} daily scales"
        yield Finding(series.symbol, _day(above, place), JUMP, "kept", detail)


def _unexpected(rows: pd.DataFrame, symbol: str, sessions: pd.DatetimeIndex) -> Iterator[Finding]:
    for session in rows.index[~rows.index.isin(sessions)].unique():
        yield Finding(symbol, session.date(), UNKNOWN_SESSION, "kept", f"{session:%A}, the calendar has no session")


def _missing(days: pd.DatetimeIndex, sessions: pd.DatetimeIndex, symbol: str, *, holidays: bool) -> Iterator[Finding]:
    """Sessions between the first row and the last that have none; runs of weekdays are one gap."""
    expected = sessions[(sessions >= days.min()) & (sessions <= days.max())]
    absent: Mask = np.logical_not(expected.isin(days))
    if holidays:
        for session in expected[absent]:
            yield Finding(symbol, session.date(), MISSING, "missing", f"{session:%A}")
        return
    edges = np.flatnonzero(np.diff(np.concatenate([[False], absent, [False]]).astype(np.int8))).reshape(-1, 2)
    for first, stop in edges.tolist():
        if stop - first >= LONG_GAP_WEEKDAYS:
            detail = f"{stop - first} weekdays without a row"
            yield Finding(symbol, expected[first].date(), GAP, "missing", detail, expected[stop].date())


def _day(frame: pd.DataFrame, place: int) -> date:
    return pd.Timestamp(frame.index[place]).date()
