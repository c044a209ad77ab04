"""What stops new positions: a drawdown, a day's loss, a stop just hit, a person. Closing one is never stopped."""

from collections.abc import Collection, Iterable, Sequence
from datetime import date

from ensemble.fills import ExitReason
from ensemble.trading.events import EventKind
from ensemble.trading.holdings import Account, Cause, Hold, Trade
from ensemble.trading.journal import Journal
from ensemble.trading.limits import RiskLimits
from ensemble.trading.signals import Reason


def forbidden_entries(account: Account, symbols: Iterable[str], session: date) -> dict[str, tuple[Reason, ...]]:
    """Which of `symbols` may not be entered in `session`, and why; each reason once, in the words' order."""
    forbidden = {}
    for symbol in symbols:
        reasons = {hold.reason for hold in account.holds if hold.forbids(symbol, session)}
        if reasons:
            forbidden[symbol] = tuple(reason for reason in Reason if reason in reasons)
    return forbidden


def end_halts(journal: Journal) -> None:
    """Ends the halts that have lasted as long as they should once this session is settled.

    After a drawdown the peak starts anew at the equity: the next halt takes a new drawdown.
    """
    for hold in journal.account.holds:
        if hold.sessions_left == 1 and hold.since < journal.session:
            journal.write(EventKind.RESUMED, hold.symbol, reason=hold.reason, amount=journal.account.equity)


def begin_halts(journal: Journal, trades: Sequence[Trade], *, equity_before: float, limits: RiskLimits) -> None:
    """Halts what the session gives reason to halt, from the next one on; the closes must be marked."""
    equity = journal.account.equity
    stopped = [trade.symbol for trade in trades if trade.exit_reason is ExitReason.STOP]
    for symbol in stopped if limits.cool_down_sessions else []:
        journal.write(EventKind.HALTED, symbol, reason=Reason.COOL_DOWN, sessions=limits.cool_down_sessions)
    if equity < equity_before * (1 - limits.max_daily_loss_pct / 100):
        journal.write(EventKind.HALTED, reason=Reason.DAILY_LOSS, sessions=1)
    halted = any(hold.reason is Reason.DRAWDOWN_HALT for hold in journal.account.holds)
    if not halted and journal.account.drawdown_of(equity) >= limits.max_drawdown_pct:
        journal.write(EventKind.HALTED, reason=Reason.DRAWDOWN_HALT, sessions=limits.halt_sessions or None)


def throw_switch(journal: Journal, cause: Cause, note: str) -> None:
    """Lets nothing be entered from the journal's session on, until whoever threw it lets go."""
    journal.write(EventKind.HALTED, reason=Reason.KILL_SWITCH, cause=cause, note=note)


def let_go(journal: Journal, causes: Collection[Cause]) -> list[Hold]:
    """Ends the kill switches of these causes, from the journal's session on, and says which those were."""
    thrown = [hold for hold in journal.account.holds if hold.reason is Reason.KILL_SWITCH and hold.until is None]
    return _end(journal, [hold for hold in thrown if hold.cause in causes])


def end_drawdown(journal: Journal) -> list[Hold]:
    """Ends a drawdown halt at once, and says whether there was one."""
    return _end(journal, [hold for hold in journal.account.holds if hold.reason is Reason.DRAWDOWN_HALT])


def _end(journal: Journal, ended: Iterable[Hold]) -> list[Hold]:
    holds = list(ended)
    for hold in holds:
        what = {"reason": hold.reason, "cause": hold.cause, "note": hold.note}
        journal.write(EventKind.RESUMED, amount=journal.account.equity, **what)
    return holds
