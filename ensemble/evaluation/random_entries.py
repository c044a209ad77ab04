"""Is it better than chance to enter when it did? Accounts that enter as often, in sessions drawn at random.

Everything else is as it was: sizes, stops, targets, holding time, cool-down, closing signals, fills and costs. So what
they earn is what the market and the limits give to anybody, and what is above it is the choice of sessions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ensemble.arrays import Floats, Mask
from ensemble.evaluation.account_path import Line
from ensemble.evaluation.entry_draws import Habit, draw_entries
from ensemble.evaluation.random_accounts import grow_accounts, places_of
from ensemble.evaluation.return_figures import figure_table
from ensemble.evaluation.trade_book import TradeBook
from ensemble.trading.limits import RiskLimits

REPLAYS = 500
SEED = 0


@dataclass(frozen=True, slots=True)
class Chance:
    """One figure of the random accounts, and where the account's own stands among them."""

    median: float
    low: float
    high: float
    """Low and high hold the middle 95 %."""
    share_below: float
    """Share of the random accounts with a lower figure, equal ones counting half."""
    p_value: float
    """Chance of so high a figure by entering at random: (1 + those at least as high) / (1 + all). Phipson and Smyth
    (2010)."""


@dataclass(frozen=True, slots=True)
class RandomEntries:
    """Accounts that entered at random."""

    replays: int
    entries: float
    """Positions that each entered, on average: as many as the account, if there was room."""
    figures: Mapping[str, Floats]
    """Figure -> of each account, (replays,); NaN where it is not defined."""

    def beside(self, name: str, value: float | None) -> Chance | None:
        """Where `value` stands; None where it, or every random account's, is not defined."""
        drawn = self.figures[name]
        known = drawn[np.isfinite(drawn)]
        if value is None or not len(known):
            return None
        low, median, high = np.quantile(known, [0.025, 0.5, 0.975]).tolist()
        below, equal = float((known < value).mean()), float((known == value).mean())
        p_value = (1 + int((known >= value).sum())) / (1 + len(known))
        return Chance(median, low, high, below + equal / 2, p_value)


def random_entries(
    books: Mapping[Line, TradeBook],
    habits: Mapping[Line, Habit],
    *,
    limits: RiskLimits,
    risk_free_pct: float,
    replays: int = REPLAYS,
) -> RandomEntries:
    """`replays` accounts that enter each line of `books`, there must be one, as often as its habit says."""
    random = np.random.default_rng(SEED)
    drawn = [
        draw_entries(np.where(book.leaves < 0, -1, book.again), habits[line], draws=replays, random=random)
        for line, book in books.items()
    ]
    grown = grow_accounts(books, np.stack(drawn), places=places_of(limits), random=random)
    before = np.concatenate([np.ones((1, replays)), grown.equity[:-1]])
    figures = figure_table(grown.equity / before - 1, risk_free_pct=risk_free_pct)
    entries = float(grown.entered.sum() / replays)
    return RandomEntries(replays, entries, figures | _trade_means(grown.entered, list(books.values())))


def _trade_means(entered: Mask, books: Sequence[TradeBook]) -> dict[str, Floats]:
    """What the closed trades of each account came to; NaN where it closed none."""
    sums = sum(_trade_sums(one, book) for one, book in zip(entered, books, strict=True))
    count, *totals = np.asarray(sums)
    means = [np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0) for total in totals]
    return dict(zip(("mean_trade_bp", "hit_rate_pct", "holding_sessions"), means, strict=True))


def _trade_sums(entered: Mask, book: TradeBook) -> Floats:
    """Closed trades of one symbol, and sums over them: returns in bp, hits in per cent, sessions; (4, n_accounts)."""
    closed = np.isfinite(book.trade_bp)
    held = book.leaves - np.arange(len(closed)) + 1
    values = np.stack([closed, book.trade_bp, 100.0 * (book.trade_bp > 0), held])
    return np.asarray(np.where(closed, values, 0.0) @ entered.astype(np.float64))
