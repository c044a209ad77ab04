"""Many accounts at once, each entering in sessions of its own; what every position comes to is read in the books."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ensemble.arrays import Floats, Integers, Mask
from ensemble.evaluation.account_path import Line
from ensemble.evaluation.trade_book import TradeBook
from ensemble.trading.limits import RiskLimits


@dataclass(frozen=True, slots=True)
class Grown:
    """What came of the accounts."""

    equity: Floats
    """At the closes, as a multiple of the capital, (n_sessions, n_accounts)."""
    entered: Mask
    """Where a position was entered, (n_lines, n_sessions, n_accounts)."""


def grow_accounts(books: Mapping[Line, TradeBook], wanted: Mask, *, places: int, random: np.random.Generator) -> Grown:
    """The accounts that enter where `wanted`, (n_lines, n_sessions, n_accounts), in the order of the books.

    A position gains what it gained in its book, as a share of the equity before its entry. So a whole number of shares
    is what an account of the starting capital would buy. Where lines compete for `places`, or for their symbol, a
    random order decides, and who finds none enters in the next session that has one.
    """
    lines, n_sessions, accounts = wanted.shape
    state = _Accounts(books, places, accounts)
    equity, entered = np.ones((n_sessions, accounts)), np.zeros(wanted.shape, dtype=np.bool_)
    for session in range(n_sessions):
        state.waiting += wanted[:, session]
        for line in random.permutation(lines) if lines > 1 else (0,):
            entered[line, session] = state.enter(int(line), session)
        equity[session] = state.settle(session)
    return Grown(equity, entered)


def places_of(limits: RiskLimits) -> int:
    """Positions that may be held at one time, no more than the allowed exposure and the cash leave room for.

    Sizes by volatility are known at each entry only, and may all be small.
    """
    if limits.sizing == "volatility":
        return limits.max_positions
    largest_pct = min(limits.position_pct, limits.max_symbol_exposure_pct)
    return min(limits.max_positions, max(int(limits.max_exposure_pct // largest_pct), 1))


class _Accounts:
    """What the accounts hold; every array has a column an account."""

    def __init__(self, books: Mapping[Line, TradeBook], places: int, accounts: int) -> None:
        symbols = list(dict.fromkeys(symbol for symbol, _ in books))
        self._symbol = [symbols.index(symbol) for symbol, _ in books]
        self._leaves = np.stack([book.leaves for book in books.values()])
        self._again = np.stack([book.again for book in books.values()])
        self._steps = _side_by_side(books)
        self._places = places
        self._entry = np.full((len(books), accounts), -1)
        """Place of the session that the line's position was entered in; -1 where none is held."""
        self._base, self._equity = np.zeros((len(books), accounts)), np.ones(accounts)
        self._free_from = np.zeros((len(symbols), accounts), dtype=np.int64)
        self.waiting: Integers = np.zeros((len(books), accounts), dtype=np.int64)
        """Entries of each line that were wanted and not made yet."""

    def enter(self, line: int, session: int) -> Mask:
        """Where the line's position is entered, (n_accounts,)."""
        symbol = self._symbol[line]
        if self._leaves[line, session] < 0:
            return np.zeros(self._equity.shape, dtype=np.bool_)
        room = (self._entry >= 0).sum(axis=0) < self._places
        coming = (self.waiting[line] > 0) & (self._free_from[symbol] <= session) & room
        self.waiting[line] -= coming
        self._entry[line][coming] = session
        self._base[line][coming] = self._equity[coming]
        self._free_from[symbol][coming] = self._again[line, session]
        return np.asarray(coming)

    def settle(self, session: int) -> Floats:
        """Equity at the close, (n_accounts,)."""
        line, held = np.arange(len(self._entry))[:, None], self._entry >= 0
        age = np.minimum(session - self._entry, self._steps.shape[2] - 1)
        gained = np.where(held, self._base * self._steps[line, self._entry, age], 0.0)
        self._equity = self._equity + gained.sum(axis=0)
        self._entry[held & (self._leaves[line, self._entry] == session)] = -1
        return self._equity


def _side_by_side(books: Mapping[Line, TradeBook]) -> Floats:
    """The steps of every book, (n_lines, n_sessions, longest holding)."""
    width = max(book.gains.shape[1] for book in books.values())
    return np.stack([np.pad(book.steps, ((0, 0), (0, width - book.gains.shape[1]))) for book in books.values()])
