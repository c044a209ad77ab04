"""An account over a range of sessions: how it was marked, and what it closed. All performance follows from it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from ensemble.arrays import Floats
from ensemble.evaluation.entry_draws import Habit
from ensemble.trading.account import AccountMark, Direction, Position, Settlement, Trade

Line = tuple[str, Direction]
"""A symbol, and which way a position in it earns."""


@dataclass(frozen=True, slots=True)
class AccountPath:
    """One session after the other, none left out, beginning with `capital` in cash and nothing held."""

    capital: float
    marks: Sequence[AccountMark]
    trades: Sequence[Trade]
    held: Sequence[Position]
    """What is open after the last session."""

    @property
    def sessions(self) -> tuple[date, ...]:
        """The sessions marked."""
        return tuple(mark.session for mark in self.marks)

    @property
    def equity(self) -> Floats:
        """At the closes, (n_sessions,), in currency."""
        return np.array([mark.equity for mark in self.marks], dtype=np.float64)

    @property
    def returns(self) -> Floats:
        """Simple returns of the equity, (n_sessions,); the first is on the capital, and none is left to a bankrupt."""
        equity = np.concatenate([[self.capital], self.equity])
        grown = np.divide(equity[1:], equity[:-1], out=np.ones(len(self.equity)), where=equity[:-1] > 0)
        return np.asarray(grown - 1)

    @property
    def invested(self) -> Floats:
        """Share of the equity that was in shares, (n_sessions,): at the close, or until it left in the session.

        What leaves in the session that it came in counts too, though no close ever sees it.
        """
        left = dict.fromkeys(self.sessions, 0.0)
        for trade in self.trades:
            left[trade.exit_session] += trade.quantity * trade.exit_price
        in_shares = np.array([mark.exposure + left[mark.session] for mark in self.marks], dtype=np.float64)
        return np.divide(in_shares, self.equity, out=np.zeros(len(in_shares)), where=self.equity > 0)

    def habits(self) -> dict[Line, Habit]:
        """How often each symbol was entered in each direction; what is still held counts."""
        place = {session: number for number, session in enumerate(self.sessions)}
        entered = Counter((trade.symbol, trade.direction) for trade in self.trades)
        entered.update((position.symbol, position.direction) for position in self.held)
        held = Counter[str]()  # sessions before which the symbol was held, in either direction
        for trade in self.trades:
            held[trade.symbol] += place[trade.exit_session] - place[trade.entry_session]
        for position in self.held:
            held[position.symbol] += len(place) - 1 - place[position.entry_session]
        return {line: Habit(entered[line], len(place) - held[line[0]]) for line in sorted(entered)}


def path_of(settled: Sequence[Settlement], *, capital: float) -> AccountPath:
    """The path of an account that began with `capital`, from its settlements; there must be one at least."""
    return AccountPath(
        capital,
        [one.mark for one in settled],
        [trade for one in settled for trade in one.trades],
        settled[-1].account.positions,
    )
