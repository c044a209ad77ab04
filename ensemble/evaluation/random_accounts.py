"""Many accounts at once, each entering in sessions of its own; what every position comes to is read in the books."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ensemble.arrays import Floats, Integers, Mask
from ensemble.evaluation.trade_book import TradeBook
from ensemble.trading.limits import RiskLimits


@dataclass(frozen=True, slots=True)
class Grown:
    """What came of the accounts."""

    equity: Floats
    """At the closes, as a multiple of the capital, (n_sessions, n_accounts)."""
    entered: Mask
    """Where a position was entered, (n_symbols, n_sessions, n_accounts)."""


def grow_accounts(books: Sequence[TradeBook], wanted: Mask, *, places: int, random: np.random.Generator) -> Grown:
    """The accounts that enter where `wanted`, (n_symbols, n_sessions, n_accounts), one book a symbol.

    A position gains what it gained in its book, as a share of the equity before its entry. So a whole number of shares
    is what an account of the starting capital would buy. Where symbols compete for `places`, a random order decides,
    and who finds none enters in the next session that has one.
    """
    leaves, steps = _side_by_side(books)
    symbols, n_sessions, accounts = wanted.shape
    row, width = np.arange(symbols)[:, None], steps.shape[2]
    entry, base = np.full((symbols, accounts), -1), np.zeros((symbols, accounts))
    waiting, now = np.zeros((symbols, accounts), dtype=np.int64), np.ones(accounts)
    equity, entered = np.ones((n_sessions, accounts)), np.zeros(wanted.shape, dtype=np.bool_)
    for session in range(n_sessions):
        waiting += wanted[:, session]
        coming = (waiting > 0) & (entry < 0) & (leaves[:, session] >= 0)[:, None]
        if symbols > places:
            coming &= _ranks(coming, random) < places - (entry >= 0).sum(axis=0)
        waiting -= coming
        entered[:, session] = coming
        entry, base = np.where(coming, session, entry), np.where(coming, now, base)
        step = steps[row, entry, np.minimum(session - entry, width - 1)]
        now = now + np.where(entry >= 0, base * step, 0.0).sum(axis=0)
        equity[session] = now
        entry = np.where(leaves[row, entry] == session, -1, entry)
    return Grown(equity, entered)


def places_of(limits: RiskLimits) -> int:
    """Positions that may be held at one time, no more than the cash pays for."""
    return min(limits.max_positions, max(int(100 // limits.position_pct), 1))


def _side_by_side(books: Sequence[TradeBook]) -> tuple[Integers, Floats]:
    """`leaves` (n_symbols, n_sessions) and steps (n_symbols, n_sessions, longest holding)."""
    width = max(book.gains.shape[1] for book in books)
    steps = [np.pad(book.steps, ((0, 0), (0, width - book.gains.shape[1]))) for book in books]
    return np.stack([book.leaves for book in books]), np.stack(steps)


def _ranks(coming: Mask, random: np.random.Generator) -> Integers:
    """A random order of the symbols that want to enter, 0 first, in each account; the others come after them."""
    keys = np.where(coming, random.random(coming.shape), 2.0)
    return np.argsort(np.argsort(keys, axis=0), axis=0)
