"""Levels that the newest bars have reached overnight, and that nothing but these bars speaks for.

A feed that splits a history too early, too late or not at all gives bars that look like any others, at another level,
and for weeks nothing in the series itself tells them from a crash. A crash is told by others: many more shares change
hands, or the whole market moves as well. Where neither is so, and no action of the company explains it, the bars wait
until there are LONGEST_RUN of them: a run that long is never doubted later.
"""

import numpy as np
import pandas as pd

from ensemble.arrays import Floats, Mask
from ensemble.validation.price_path import GAP_SIGMAS, LONGEST_RUN, PricePath
from ensemble.validation.rules import Series

BUSY = 4.0
"""Times the median volume: what big news brings. After a split by two, twice the shares are no news."""
USUAL_SESSIONS, LEAST_SESSIONS = 60, 10
CROWD_SCALES = 3.0
"""Of their own daily moves, by which half of the others have moved the same way: it is the market."""


def new_level(path: PricePath, book: pd.DataFrame, series: Series, least: float) -> Mask:
    """The newest bars of the path, from the first on that opened beyond `least` without a reason.

    `book`: what the path was made of, with volumes, by session. `least` in logarithms.
    """
    gaps, moves = path.gaps, path.moves
    newest = np.arange(len(gaps)) >= len(gaps) - LONGEST_RUN
    with np.errstate(invalid="ignore"):
        limit = path.limit(np.full(len(gaps), GAP_SIGMAS), least)
        far = (np.abs(gaps) > limit) & (np.abs(moves) > limit / 2) & (np.sign(gaps) == np.sign(moves))
    doubted: Mask = far & newest
    if doubted.any():
        doubted &= ~(_busy(gaps, book["volume"]) | _with_the_crowd(gaps, book.index, series) | _vouched(book, series))
    return np.logical_or.accumulate(doubted)


def _busy(gaps: Floats, volume: "pd.Series[float]") -> Mask:
    usual = volume.rolling(USUAL_SESSIONS, min_periods=LEAST_SESSIONS).median().shift(1).to_numpy()
    with np.errstate(invalid="ignore"):
        busy: Mask = volume.to_numpy() >= BUSY * usual * np.exp(np.fmax(-gaps, 0.0))
    return busy & (usual > 0)  # an index is traded by nobody


def _with_the_crowd(gaps: Floats, sessions: pd.Index, series: Series) -> Mask:
    if series.crowd is None:
        return np.zeros(len(gaps), dtype=np.bool_)
    with np.errstate(invalid="ignore"):
        return series.crowd.reindex(sessions).to_numpy() * np.sign(gaps) >= CROWD_SCALES


def _vouched(book: pd.DataFrame, series: Series) -> Mask:
    return np.asarray(book.index.isin([pd.Timestamp(day) for day in series.vouched]), dtype=np.bool_)
