"""What a position entered in any session would have come to, by the daemon's own decisions, fills and costs."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from ensemble.arrays import Floats, Integers
from ensemble.evaluation.replay import Trader
from ensemble.evaluation.trade_figures import trade_returns_bp
from ensemble.trading.account import Settlement, open_account

BUY, SELL = 1.0, 0.0
"""Probabilities that leave no doubt."""


@dataclass(frozen=True, slots=True)
class TradeBook:
    """One symbol: the position entered at each session's open, in an account that holds nothing else."""

    leaves: Integers
    """Place of the session it leaves in, (n_sessions,): n_sessions where it is still held at the end, -1 where nobody
    could enter."""
    gains: Floats
    """What the account has gained on its capital at the closes from the entry's on, (n_sessions, longest holding);
    a share of 1, the last one repeated."""
    trade_bp: Floats
    """What the closed trade earned, basis points of what was paid for its shares, (n_sessions,); NaN where none is."""

    @property
    def steps(self) -> Floats:
        """What each session adds to `gains`, of the same shape."""
        return np.diff(self.gains, axis=1, prepend=0.0)


def trade_book(symbol: str, trader: Trader, sells: Collection[date] = ()) -> TradeBook:
    """The book of one symbol over the trader's sessions; in the sessions `sells` what is held is sold at the open.

    Each position is decided and settled by itself, from the capital of the limits; it is sized as a sure forecast would
    be.
    """
    sessions = trader.traded.sessions
    leaves = np.full(len(sessions), -1, dtype=np.int64)
    trade_bp = np.full(len(sessions), np.nan)
    gains: list[Sequence[float]] = []
    for place in range(len(sessions)):
        lived = _lived(symbol, trader, place, sells)
        gains.append([one.mark.equity / trader.rules.limits.initial_capital - 1 for one in lived])
        trades = [trade for one in lived for trade in one.trades]
        if trades:
            leaves[place], trade_bp[place] = place + len(lived) - 1, trade_returns_bp(trades)[0]
        elif lived[-1].account.positions:
            leaves[place] = len(sessions)
    return TradeBook(leaves, _padded(gains), trade_bp)


def _lived(symbol: str, trader: Trader, place: int, sells: Collection[date]) -> list[Settlement]:
    """The sessions of one position, its entry's first, until nothing is held or known any more."""
    account, lived = open_account(trader.rules.limits), list[Settlement]()
    for session in trader.traded.sessions[place:]:
        said = {symbol: BUY} if not lived else {symbol: SELL} if session in sells else {}
        lived.append(trader.live(account, session, said))
        account = lived[-1].account
        if not account.positions:
            break
    return lived


def _padded(rows: Sequence[Sequence[float]]) -> Floats:
    width = max(map(len, rows), default=1)
    return np.array([[*row, *[row[-1]] * (width - len(row))] for row in rows], dtype=np.float64)
