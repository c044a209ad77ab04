"""Whether a feed has multiplied a history by a constant, by which, and which action says why."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from math import log, prod

import numpy as np
import pandas as pd

from ensemble.arrays import Floats, Mask
from ensemble.validation.rescaling import factors_near, rescaled
from storage.action_store import Action, Restatement
from storage.bar_store import ADJUSTED_WITHIN

COMPARED_BARS = 3
"""A restatement moves all old bars; a correction moves one."""
EXPLAINED_WITHIN = 0.05
"""Of the factor's logarithm: how near an action's own factor must be, for feeds round dividends to a few digits."""


def is_restated(stored: pd.DataFrame, fresh: pd.DataFrame) -> bool:
    """True when the oldest bars that both hold were scaled: a split or dividend scaled those before them too."""
    if len(fresh) and len(stored) and _same_oldest(stored, fresh):  # as on most days, and told at once
        return False
    new, old, _ = _shared(stored, fresh)
    usable = _comparable(new, old)
    ratios = (new[usable] / old[usable])[:COMPARED_BARS]
    return len(ratios) > 0 and bool((np.abs(ratios - 1) > ADJUSTED_WITHIN).all())


def _same_oldest(stored: pd.DataFrame, fresh: pd.DataFrame) -> bool:
    new, old = fresh["adj_close"].to_numpy()[0], stored["adj_close"].to_numpy()[0]
    return bool(new == old and stored.index.to_numpy()[0] == fresh.index.to_numpy()[0])


def restatement(
    symbol: str, stored: pd.DataFrame, fresh: pd.DataFrame, actions: Iterable[Action], seen_at: datetime
) -> Restatement | None:
    """What became of the `stored` bars in `fresh`, and which of `actions` explain it; None where nothing did.

    Those are looked for where the multiplied bars end: after the newest of them, and no later than the next stored one.
    """
    new, old, sessions = _shared(stored, fresh)
    comparable = (new > 0) & (old > 0)  # a future's price below zero was never multiplied by an action
    ratios, sessions = new[comparable] / old[comparable], sessions[comparable]
    moved = np.abs(ratios - 1) > ADJUSTED_WITHIN
    if not moved.any():
        return None
    factor = float(np.median(ratios[moved]))
    scaled = sessions[np.abs(ratios / factor - 1) < np.abs(ratios - 1)]
    first, last = scaled[0], scaled[-1]
    following = sessions[sessions > last]
    near = [
        one
        for one in actions
        if pd.Timestamp(one.session) > last and (len(following) == 0 or pd.Timestamp(one.session) <= following[0])
    ]
    explained = " and ".join(f"{one.kind} {one.session}" for one in _explaining(near, fresh, factor))
    return Restatement(symbol, seen_at, first.date(), last.date(), factor, int(moved.sum()), explained or None)


def left_behind(stored: pd.DataFrame, fresh: pd.DataFrame) -> pd.DataFrame:
    """The stored bars that a restated history lacks, in its scale; none that is newer than those it moved.

    A feed may show a special session on its day and leave it out of its history for ever: by itself its bar would keep
    the prices from before the split.
    """
    new, old, sessions = _shared(stored, fresh)
    usable = _comparable(new, old)
    moved = sessions[usable][np.abs(new[usable] / old[usable] - 1) > ADJUSTED_WITHIN]
    absent = pd.DatetimeIndex(stored.index.difference(fresh.index))
    absent = absent[absent < moved[-1]] if len(moved) else absent[:0]
    return stored.loc[absent].assign(**rescaled(stored.loc[absent], *factors_near(stored, fresh, absent).T))


def _shared(stored: pd.DataFrame, fresh: pd.DataFrame) -> tuple[Floats, Floats, pd.DatetimeIndex]:
    """New and old adj_close of the sessions that both hold, and these, oldest first."""
    shared, places, fresh_places = np.intersect1d(stored.index, fresh.index, return_indices=True)
    new, old = fresh["adj_close"].to_numpy()[fresh_places], stored["adj_close"].to_numpy()[places]
    return new, old, pd.DatetimeIndex(shared)


def _comparable(new: Floats, old: Floats) -> Mask:
    """Where a ratio of both can be taken."""
    return np.asarray(np.isfinite(new) & np.isfinite(old) & (old != 0), dtype=np.bool_)


def _explaining(actions: Sequence[Action], fresh: pd.DataFrame, factor: float) -> Sequence[Action]:
    """The one action that makes this factor, or all of them together; none where neither does."""
    factors = {one: _factor(one, fresh) for one in actions}
    candidates = [*((one,) for one in actions), tuple(actions)]
    for together in candidates:
        expected = log(prod(factors[one] for one in together))
        if abs(log(factor) - expected) <= EXPLAINED_WITHIN * abs(expected) and expected:
            return together
    return ()


def _factor(action: Action, fresh: pd.DataFrame) -> float:
    """What the action makes of every adj_close before it; 1 where it cannot be told."""
    if action.kind == "split":
        return 1 / action.value
    before = fresh["close"][fresh.index < pd.Timestamp(action.session)]
    if before.empty or before.iloc[-1] <= action.value:
        return 1.0
    return float(1 - action.value / before.iloc[-1])
