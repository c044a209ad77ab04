"""How large a new position may be, from the equity at the last marks and the price known at the decision."""

import math
from collections.abc import Sequence
from itertools import pairwise

from ensemble.trading.limits import RiskLimits

VOLATILITY_CLOSES = 20


def position_budget(equity: float, limits: RiskLimits, volatility: float | None) -> float | None:
    """What a new position may be worth, in currency; None where its volatility is needed and not known.

    `volatility` is the share's standard deviation a session, as a ratio: 0.02 is 2 %.
    """
    share_pct = min(limits.position_pct, limits.max_symbol_exposure_pct)
    if limits.sizing == "volatility":
        if volatility is None:
            return None
        # Written so that a share that never moved gets the whole share_pct.
        share_pct = min(share_pct, limits.target_volatility_pct / volatility if volatility > 0 else math.inf)
    return equity * share_pct / 100


def whole_lots(budget: float, price: float, lot_size: int) -> int:
    """As many shares in whole lots as `budget` pays for at `price`."""
    return int(max(budget, 0.0) // (price * lot_size)) * lot_size


def daily_volatility(closes: Sequence[float]) -> float | None:
    """Standard deviation of the log returns between the last 20 of `closes`, oldest first; None with fewer."""
    last = closes[-VOLATILITY_CLOSES:]
    if len(last) < VOLATILITY_CLOSES:
        return None
    returns = [math.log(after / before) for before, after in pairwise(last)]
    mean = math.fsum(returns) / len(returns)
    return math.sqrt(math.fsum((one - mean) ** 2 for one in returns) / (len(returns) - 1))
