"""The bars of many symbols in one piece: what is asked of every row is asked of all of them at once.

A frame costs its hundred microseconds at each question, however few its rows; for 50 symbols that is most of a reading.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import pandas as pd

from ensemble.arrays import Floats, Integers, Mask
from ensemble.bars import BAR_COLUMNS, bar_faults
from ensemble.validation.asset_class import ClassRules, class_rules

_DAY_US = 24 * 3600 * 1_000_000
_COLUMNS, _FLOAT = pd.Index(BAR_COLUMNS), np.dtype(np.float64)


@dataclass(frozen=True, eq=False)  # no slots: cached_property needs a dictionary
class Block:
    """Whole histories, one below the other."""

    symbols: tuple[str, ...]
    lengths: Integers
    """Bars a symbol, (n_symbols,)."""
    sessions: "np.ndarray[tuple[int], np.dtype[np.datetime64]]"
    """Of each bar, in microseconds, (n_bars,)."""
    values: Mapping[str, Floats]
    """BAR_COLUMNS, each (n_bars,)."""

    @cached_property
    def begins(self) -> Mask:
        """Which bars are the first of their symbol."""
        begins = np.zeros(len(self.sessions), dtype=np.bool_)
        begins[np.cumsum(self.lengths)[:-1]] = True
        begins[:1] = True
        return begins

    @cached_property
    def owners(self) -> Integers:
        """The place in `symbols` of each bar's."""
        return np.repeat(np.arange(len(self.symbols)), self.lengths)

    def each(self, figures: Floats) -> Floats:
        """A figure a symbol as one a bar."""
        return figures[self.owners]

    def of_class(self, name: str) -> Floats:
        """A figure of ClassRules, one a bar."""
        rules: list[ClassRules] = [class_rules(symbol) for symbol in self.symbols]
        return self.each(np.array([float(getattr(one, name)) for one in rules]))

    def faulty(self, complete: Mask, positive: Mask) -> Mask:
        """Which bars have a fault by themselves, where each is `complete` and has to be `positive`."""
        wrong = np.zeros(len(self.sessions), dtype=np.bool_)
        for whole, above in product((True, False), repeat=2):
            asked = (complete == whole) & (positive == above)
            if asked.any():
                faults = bar_faults(self.values, complete=whole, positive=above)
                wrong |= asked & np.logical_or.reduce(list(faults.values()))
        return wrong

    def symbols_of(self, mask: Mask) -> set[str]:
        """The symbols of the bars that are marked."""
        return {self.symbols[place] for place in np.unique(self.owners[mask])}

    @cached_property
    def unordered(self) -> Mask:
        """Which bars are no midnight after the one before, of their symbol."""
        stamps = self.sessions.view(np.int64)
        wrong: Mask = np.isnat(self.sessions) | (stamps % _DAY_US != 0)
        wrong[1:] |= (stamps[1:] <= stamps[:-1]) & ~self.begins[1:]
        return wrong


def block_of(frames: Mapping[str, pd.DataFrame]) -> Block:
    """Those of the frames that have the shape of bars, in order: the rest is for whoever can say what is wrong."""
    shaped = {symbol: frame for symbol, frame in frames.items() if len(frame) and _has_shape(frame)}
    if not shaped:
        nothing = np.empty(0, dtype="datetime64[us]")
        return Block((), np.empty(0, dtype=np.int64), nothing, dict.fromkeys(BAR_COLUMNS, np.empty(0)))
    table = np.concatenate([frame.to_numpy() for frame in shaped.values()]).T
    return Block(
        tuple(shaped),
        np.array([len(frame) for frame in shaped.values()]),
        np.concatenate([frame.index.to_numpy() for frame in shaped.values()]),
        dict(zip(BAR_COLUMNS, table, strict=True)),
    )


def _has_shape(frame: pd.DataFrame) -> bool:
    index = frame.index
    return (
        index.dtype == "datetime64[us]"
        and index.name == "session"
        and frame.columns.equals(_COLUMNS)
        and set(frame.dtypes.tolist()) == {_FLOAT}
    )
