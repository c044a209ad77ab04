"""What becomes of an account that owes more than it owns: it is wound up, and what nobody can pay is written off.

Shares that are owned can lose no more than they cost, so only shorts lead here: one of the whole equity, whose price
more than doubles before its stop can be filled. What is lost by then is lost; no limit of size up to the whole equity
keeps a price from opening anywhere.
"""

from ensemble.fills import ExitReason
from ensemble.trading.events import EventKind
from ensemble.trading.exits import close_position
from ensemble.trading.holdings import Trade
from ensemble.trading.journal import Journal


def wind_up(journal: Journal) -> list[Trade]:
    """Closes everything at the last closes where the equity is below zero there, and says what that closed.

    A broker would do so, and bear what is missing: it is an event, and the account is left with nothing.
    """
    if journal.account.equity >= 0:
        return []
    positions = journal.account.positions
    trades = [close_position(journal, held, (held.last_close, ExitReason.STOP), fees=0.0) for held in positions]
    journal.write(EventKind.BANKRUPT, amount=-journal.account.equity)
    return trades
