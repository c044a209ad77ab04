"""Which of many histories the sieve would keep as they are, told by what each of its rules needs before it refuses.

A rule that goes by the scale of a series refuses nothing below a floor that needs no scale. Who stays below all the
floors need not be looked at alone; all others go through the sieve, which says what is wrong, if anything is.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ensemble.arrays import Floats, Mask
from ensemble.validation.block import Block, block_of
from ensemble.validation.rules import BarRules, Series


def spotless(raw: Mapping[str, pd.DataFrame], series: Mapping[str, Series], *, rules: BarRules) -> set[str]:
    """Symbols of which `sift_bars` would keep every bar, unchanged. There may be more of them than are found.

    None with `steps`, which change what is beside what.
    """
    block = block_of({symbol: bars for symbol, bars in raw.items() if not series[symbol].steps})
    whose = [series[symbol] for symbol in block.symbols]
    complete = block.each(np.array([float(one.complete) for one in whose])) > 0
    doubtful = block.unordered | _no_sessions(block, whose) | block.faulty(complete, np.ones_like(complete))
    with np.errstate(invalid="ignore", divide="ignore"):  # of prices that are faulty already
        doubtful |= _far(block, complete, rules) | _copied(block)
    return set(block.symbols) - block.symbols_of(doubtful)


def _no_sessions(block: Block, whose: list[Series]) -> Mask:
    wrong = np.zeros(len(block.sessions), dtype=np.bool_)
    calendars = {id(one.sessions): one.sessions for one in whose if one.sessions is not None}
    for number, sessions in calendars.items():
        theirs = np.array([id(one.sessions) == number for one in whose])[block.owners]
        wrong |= theirs & ~np.isin(block.sessions, sessions.to_numpy())
    return wrong


def _far(block: Block, complete: Mask, rules: BarRules) -> Mask:
    """Bars so far from a neighbour, or so wide, that a rule may come to refuse one."""
    close, opened = np.log(block.values["close"]), np.log(block.values["open"])
    moves = _since(close, close, block)
    nights = np.fmax(np.abs(moves), np.abs(_since(opened, close, block)))
    limit = np.log1p(np.where(complete, rules.max_move_pct, rules.max_context_move_pct) / 100.0)
    least_move = block.of_class("least_move")
    thrown_back = (np.abs(moves[:-1]) > least_move[:-1]) & (nights[1:] > least_move[:-1])
    least = np.fmin(block.of_class("least_factor"), block.of_class("least_level"))
    far: Mask = nights > np.fmin(limit, least)
    far[:-1] |= thrown_back
    wick = np.fmax(np.log(block.values["high"]) - close, close - np.log(block.values["low"]))
    far |= complete & (wick > block.of_class("most_wick"))
    return far


def _copied(block: Block) -> Mask:
    """Bars with the close of the one before, and its volume or no range to tell them apart."""
    same = {name: _since(block.values[name], block.values[name], block) == 0 for name in ("close", "volume")}
    unknown = np.isnan(block.values["volume"]) | np.isnan(block.values["high"])
    copied: Mask = same["close"] & (same["volume"] | unknown)
    return copied


def _since(later: Floats, earlier: Floats, block: Block) -> Floats:
    """`later` less `earlier` of the bar before; NaN for the first of a symbol."""
    steps = np.full(len(later), np.nan)
    steps[1:] = later[1:] - earlier[:-1]
    steps[block.begins] = np.nan
    return steps
