"""Which refused bars are stored all the same: they were believed once, and what came later speaks against them."""

import numpy as np
import pandas as pd

from ensemble.bars import BAR_COLUMNS
from ensemble.validation.asset_class import class_rules
from ensemble.validation.rescaling import CLOSES, factors_near
from ensemble.validation.rows import mend_context, widen
from ensemble.validation.rules import Refusal, Series, Sifted

SAME_WITHIN = 1e-4
"""Relative: what a feed's rounding does to a price when it multiplies a history."""


def doubted(stored: pd.DataFrame, sifted: Sifted) -> pd.DataFrame:
    """The rows of `sifted.refused` whose bar is among the `stored` ones, by session.

    The same bar: the closes are what is stored, or both were multiplied as those of the nearest bar that was kept. A
    feed that now gives other closes for a session says nothing against the one that is stored, nor does one that gives
    two.
    """
    refused = sifted.refused[sifted.refused["reason"] != Refusal.DUPLICATE]
    rows = refused.dropna(subset=["session"]).drop_duplicates("session").set_index("session")
    rows = rows[rows.index.isin(stored.index)]
    if rows.empty:
        return rows
    factors = factors_near(stored, sifted.kept, pd.DatetimeIndex(rows.index))
    now, then = rows[list(CLOSES)].to_numpy(), stored.loc[rows.index, list(CLOSES)].to_numpy()
    same = np.isclose(now, then * factors, rtol=SAME_WITHIN, atol=0.0)
    doubts: pd.DataFrame = rows[same.all(axis=1)]
    return doubts


def let_in(sifted: Sifted, sessions: pd.DatetimeIndex, series: Series) -> Sifted:
    """The same with the refused bars of `sessions` among those kept: somebody knows better."""
    chosen = sifted.refused["session"].isin(sessions)
    if not chosen.any():
        return sifted
    rows = sifted.refused[chosen].set_index("session")
    values = {name: rows[name].to_numpy().copy() for name in BAR_COLUMNS}
    if not series.complete:
        mend_context(values, 0.0, spared=np.full(len(rows), not class_rules(series.symbol).positive))
    widen(values)
    kept = pd.concat([sifted.kept, pd.DataFrame(values, index=rows.index, dtype="float64")]).sort_index()
    return Sifted(kept, sifted.refused[~chosen].reset_index(drop=True))


def since(sifted: Sifted, first: pd.Timestamp) -> Sifted:
    """The bars from session `first` on, and those that have no readable date."""
    refused = sifted.refused
    return Sifted(sifted.kept.loc[first:], refused[~(refused["session"] < first)].reset_index(drop=True))
