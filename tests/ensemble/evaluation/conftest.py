"""Forecasts of a known strength, made up from a seed."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from ensemble.evaluation.scored import Scored

MakeScored = Callable[..., Scored]


@pytest.fixture(scope="session")
def make_scored() -> MakeScored:
    """make_scored(strength=0, sessions=300, symbols=1, together=0, horizon=1, drift=0, seed=0)."""
    return _make_scored


def _make_scored(
    strength: float = 0.0,
    sessions: int = 300,
    symbols: int = 1,
    *,
    together: float = 0.0,
    horizon: int = 1,
    drift: float = 0.0,
    seed: int = 0,
) -> Scored:
    """Outcomes are signs of moves of unit variance; `strength` of them is known, and the forecasts are calibrated.

    `together`: correlation of the symbols' moves and of what is known. `horizon`: moves and knowledge are means of as
    many neighbours, scaled to unit variance. `drift`: mean of the moves.
    """
    random = np.random.default_rng(seed)

    def shocks() -> np.ndarray:
        shared, own = random.normal(size=sessions + horizon - 1), random.normal(size=(symbols, sessions + horizon - 1))
        mixed = np.sqrt(together) * shared + np.sqrt(1 - together) * own
        return np.stack([np.convolve(row, np.full(horizon, horizon**-0.5), "valid") for row in mixed])

    known, moves = shocks(), shocks()
    from scipy.special import ndtr

    up = drift + strength * known + np.sqrt(1 - strength**2) * moves > 0
    # Without strength the forecasts still vary, so that there is something to rank.
    weight = strength / np.sqrt(1 - strength**2) if strength else 0.2
    return Scored(
        "gap",
        pd.bdate_range("2015-01-01", periods=sessions),
        tuple(f"S{one}" for one in range(symbols)),
        np.asarray(ndtr(drift + weight * known)),
        up.astype(np.float64),
        horizon,
    )
