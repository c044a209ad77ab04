"""The sieve that every bar passes before anything may use it."""

from collections.abc import Iterator
from itertools import chain

import numpy as np
import pandas as pd

from ensemble.arrays import Floats, Integers, Mask
from ensemble.bars import BAR_COLUMNS
from ensemble.trading.continuity import fallen
from ensemble.validation.asset_class import class_rules
from ensemble.validation.new_level import new_level
from ensemble.validation.price_path import bad_ticks, misscaled_runs, price_path, range_excess, strays, wild_wicks
from ensemble.validation.rows import (
    NONE,
    REFUSALS,
    as_floats,
    judge_dates,
    judge_values,
    mend_context,
    refuse,
    traded_below_zero,
    widen,
)
from ensemble.validation.rules import BarRules, Refusal, Series, Sifted
from ensemble.validation.stale import before_listing, frozen


def sift_bars(raw: pd.DataFrame, series: Series, *, rules: BarRules) -> Sifted:
    """The bars of `raw` that can be trusted, and the others with their reason.

    `raw` has the columns BAR_COLUMNS and the dates in its index; everything else about it may be wrong.
    Context bars lose a missing or inconsistent open, high or low (NaN) instead of being refused.
    What looks at neighbours looks at the next bar too, so that a level shift (a crash, a split the feed did not
    adjust) is not taken for a bad tick; the newest bar has no next one and is refused, when it is beyond MOVE_LIMIT,
    until a later one confirms it. A level that only the newest bars show waits for more evidence: NEW_LEVEL. Raises
    BarsError when a column is missing.
    """
    rows = as_floats(raw)
    reasons = np.full(len(rows), NONE)
    copies = judge_dates(rows, reasons, series.sessions)
    values = {name: rows[name].to_numpy().copy() for name in BAR_COLUMNS}
    excess = range_excess(values)
    _judge_alone(values, reasons, series, rules.range_tolerance_bp / 1e4)
    book = pd.DataFrame(values | {"excess": excess, "row": np.arange(len(rows))}, index=rows.index)
    book = book[(reasons == NONE) & ~copies].sort_index()
    kept = _judge_together(book, reasons, series, rules, _dead(rows, reasons))
    return Sifted(kept=kept[list(BAR_COLUMNS)], refused=_refused(rows, reasons, copies))


def nothing_refused() -> pd.DataFrame:
    """The `refused` of bars that are all kept."""
    columns = {name: np.empty(0) for name in BAR_COLUMNS}
    return pd.DataFrame({"session": np.empty(0, dtype="datetime64[us]"), "reason": np.empty(0, dtype=object)} | columns)


def _judge_alone(values: dict[str, Floats], reasons: Integers, series: Series, tolerance: float) -> None:
    may_fall_below = not class_rules(series.symbol).positive
    below_zero = traded_below_zero(values) if may_fall_below else np.zeros(len(reasons), dtype=np.bool_)
    if not series.complete:
        mend_context(values, tolerance, spared=below_zero)
    judge_values(values, reasons, series, below_zero=below_zero, tolerance=tolerance)
    widen(values)


def _dead(rows: pd.DataFrame, reasons: Integers) -> pd.DatetimeIndex:
    """The days of which the feed has a bar that nobody traded in."""
    refused = np.isin(reasons, [REFUSALS.index(one) for one in (Refusal.NOT_A_SESSION, Refusal.NO_VOLUME)])
    return pd.DatetimeIndex(rows.index[refused & ~(rows["volume"] > 0).to_numpy()]).sort_values()


def _judge_together(
    book: pd.DataFrame, reasons: Integers, series: Series, rules: BarRules, dead: pd.DatetimeIndex
) -> pd.DataFrame:
    """The bars of the book that go together; the others get their reason. One rule after the other, over again."""
    while len(book):
        found = chain(_of_other_papers(book, series, dead), _beside_neighbours(book, series, rules))
        reason, wrong = next(((reason, wrong) for reason, wrong in found if wrong.any()), (None, None))
        if reason is None or wrong is None:
            break
        mask = np.zeros(len(reasons), dtype=np.bool_)
        mask[book["row"].to_numpy()[wrong]] = True
        refuse(reasons, mask, reason)
        book = book[~wrong]
    return book


def _of_other_papers(book: pd.DataFrame, series: Series, dead: pd.DatetimeIndex) -> Iterator[tuple[Refusal, Mask]]:
    if series.complete:
        yield Refusal.NOT_LISTED, before_listing(book, dead)
    yield Refusal.FROZEN, frozen({name: book[name].to_numpy() for name in BAR_COLUMNS})


def _beside_neighbours(book: pd.DataFrame, series: Series, rules: BarRules) -> Iterator[tuple[Refusal, Mask]]:
    own = class_rules(series.symbol)
    positive = np.flatnonzero(book["close"].to_numpy() > 0)  # what a future did below zero has no logarithm
    columns = {name: book[name].to_numpy()[positive] for name in (*BAR_COLUMNS[:4], "excess")}
    sessions = pd.DatetimeIndex(book.index[positive])
    for place, left in fallen(columns, sessions, series.steps):
        before = np.where(np.arange(len(sessions)) < place, left, 1.0)
        columns |= {name: columns[name] * before for name in BAR_COLUMNS[:4]}
    path = price_path(columns, sessions)
    sigmas = rules.bad_tick_scales * own.wildness

    def of_book(mask: Mask) -> Mask:
        wrong = np.zeros(len(book), dtype=np.bool_)
        wrong[positive[mask]] = True
        return wrong

    yield Refusal.MISSCALED, of_book(misscaled_runs(path, sigmas, own.least_factor).mask(len(positive)))
    yield Refusal.BAD_TICK, of_book(bad_ticks(path, sigmas, own.least_move))
    if series.complete:
        yield Refusal.BAD_TICK, of_book(wild_wicks(path, own.most_wick))
    limit_pct = rules.max_move_pct if series.complete else rules.max_context_move_pct
    yield Refusal.MOVE_LIMIT, of_book(strays(path.closes, np.log1p(limit_pct / 100.0)))
    yield Refusal.NEW_LEVEL, of_book(new_level(path, book.iloc[positive], series, own.least_level))


def _refused(rows: pd.DataFrame, reasons: Integers, copies: Mask) -> pd.DataFrame:
    bad = (reasons != NONE) & ~copies
    refused: pd.DataFrame = rows.loc[bad].reset_index()
    refused.insert(1, "reason", [str(REFUSALS[code]) for code in reasons[bad]])
    return refused
