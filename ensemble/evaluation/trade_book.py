"""What a position entered in any session would have come to, by the daemon's own decisions, fills and costs."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from ensemble.arrays import Floats, Integers
from ensemble.evaluation.account_path import Line
from ensemble.evaluation.replay import Trader
from ensemble.evaluation.trade_figures import trade_returns_bp
from ensemble.trading.account import Account, Direction, Settlement, open_account

SURE_OF = {Direction.LONG: 1.0, Direction.SHORT: 0.0}
"""Probabilities that leave no doubt."""


@dataclass(frozen=True, slots=True)
class TradeBook:
    """One symbol in one direction: the position entered at each session's open, in an account that holds no other."""

    leaves: Integers
    """Place of the session it leaves in, (n_sessions,): n_sessions where it is still held at the end, -1 where nobody
    could enter."""
    again: Integers
    """Place of the first session in which the symbol may be entered again, (n_sessions,): after the exit, and after the
    cool-down that a stop brings."""
    gains: Floats
    """What the account has gained on its capital at the closes from the entry's on, (n_sessions, longest holding);
    a share of 1, the last one repeated."""
    trade_bp: Floats
    """What the closed trade earned, basis points of what its shares were worth at the entry, (n_sessions,); NaN where
    none is."""

    @property
    def steps(self) -> Floats:
        """What each session adds to `gains`, of the same shape."""
        return np.diff(self.gains, axis=1, prepend=0.0)


def trade_book(line: Line, trader: Trader, turns: Collection[date] = ()) -> TradeBook:
    """The book of one line over the trader's sessions; in the sessions `turns` what is held is closed at the open.

    Each position is decided and settled by itself, from the capital of the limits; it is sized as a sure forecast would
    be.
    """
    n_sessions = len(trader.traded.sessions)
    leaves, again = np.full(n_sessions, -1, dtype=np.int64), np.arange(1, n_sessions + 1)
    trade_bp = np.full(n_sessions, np.nan)
    gains: list[Sequence[float]] = []
    for place in range(n_sessions):
        lived = _lived(line, trader, place, turns)
        gains.append([one.mark.equity / trader.rules.limits.initial_capital - 1 for one in lived])
        trades = [trade for one in lived for trade in one.trades]
        if trades:
            leaves[place], trade_bp[place] = place + len(lived) - 1, trade_returns_bp(trades)[0]
            again[place] = min(place + len(lived) + _cool_down(lived[-1].account), n_sessions)
        elif lived[-1].account.positions:
            leaves[place] = again[place] = n_sessions
    return TradeBook(leaves, again, _padded(gains), trade_bp)


def _lived(line: Line, trader: Trader, place: int, turns: Collection[date]) -> list[Settlement]:
    """The sessions of one position, its entry's first, until nothing is held or known any more."""
    (symbol, direction), account, lived = line, open_account(trader.rules.limits), list[Settlement]()
    opening = {symbol: SURE_OF[direction]}
    closing = {symbol: 1 - SURE_OF[direction]}
    for session in trader.traded.sessions[place:]:
        said = opening if not lived else closing if session in turns else {}
        lived.append(trader.live(account, session, said))
        account = lived[-1].account
        if not account.positions:
            break
    return lived


def _cool_down(account: Account) -> int:
    """Sessions in which the symbol may not be entered."""
    return max((hold.sessions_left or 0 for hold in account.holds if hold.symbol is not None), default=0)


def _padded(rows: Sequence[Sequence[float]]) -> Floats:
    width = max(map(len, rows), default=1)
    return np.array([[*row, *[row[-1]] * (width - len(row))] for row in rows], dtype=np.float64)
