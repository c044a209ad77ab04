"""The paper account: one settled session after another, by the one fill rule and after costs.

Corporate actions come before the open. Entries are paid from the cash, and take the places, that were free before
it: a sale of the same session helps none of them. Entries, stops, time exits and signals trade at the market and
slip; a target is a limit order and does not. All that happens is an event, and the account is what its events make.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from ensemble.fills import ExitReason
from ensemble.trading.actions import NO_ACTION, HeldActions
from ensemble.trading.bankruptcy import wind_up
from ensemble.trading.conversions import collect_dividends, convert
from ensemble.trading.entries import enter
from ensemble.trading.events import AccountEvent, EventKind, Unfilled
from ensemble.trading.exits import leave
from ensemble.trading.guards import begin_halts, end_halts
from ensemble.trading.holdings import Account, AccountMark, Direction, Position, Trade
from ensemble.trading.journal import Journal
from ensemble.trading.limits import RiskLimits
from ensemble.trading.rules import TradingRules
from ensemble.trading.session_bars import Bar
from ensemble.trading.signals import Action, Signal

__all__ = [
    "Account",
    "AccountMark",
    "Direction",
    "ExitReason",
    "Position",
    "Settlement",
    "Trade",
    "open_account",
    "settle",
]


@dataclass(frozen=True, slots=True)
class Settlement:
    """One session settled: the account after it, the trades it closed, the mark at its closes, and how it came."""

    account: Account
    trades: tuple[Trade, ...]
    mark: AccountMark
    events: tuple[AccountEvent, ...] = ()


def open_account(limits: RiskLimits) -> Account:
    """A fresh account that holds `limits.initial_capital` in cash."""
    return Account(cash=limits.initial_capital, positions=(), peak_equity=limits.initial_capital)


def settle(  # noqa: PLR0913  # one for each thing that makes a session
    account: Account,
    *,
    session: date,
    bars: Mapping[str, Bar],
    signals: Sequence[Signal],
    rules: TradingRules,
    actions: Mapping[str, HeldActions] | None = None,
) -> Settlement:
    """The account after `session`, what was closed in it, the mark and the events. Only actionable signals are traded.

    A symbol without a bar, or with a locked one, fills nothing: its position stays, marked at the last close.
    `actions` are those on held shares, by symbol, before the open. Raises ValueError for a signal of another session
    and for two signals of one symbol.
    """
    orders, journal = _orders(signals, session), Journal(_in_order(account), session)
    collect_dividends(journal)
    actions = actions or {}
    trades = convert(journal, actions)
    enter(journal, [order for order in orders.values() if order.opens], bars=bars, rules=rules)
    leaving = _still_held(journal, [order for order in orders.values() if not order.opens])
    trades += leave(journal, leaving, bars=bars, rules=rules, actions=actions)
    for position in journal.account.positions:
        if position.symbol in bars and not actions.get(position.symbol, NO_ACTION).waits:
            journal.write(EventKind.MARKED, position.symbol, price=bars[position.symbol].close)
    trades += wind_up(journal)
    end_halts(journal)
    begin_halts(journal, trades, equity_before=account.equity, limits=rules.limits)
    journal.write(EventKind.SETTLED, amount=journal.account.equity)
    return Settlement(journal.account, tuple(trades), mark_of(journal.account, session), journal.events)


def mark_of(account: Account, session: date) -> AccountMark:
    """The account as marked at the closes of `session`, which it has just been settled for."""
    equity = account.equity
    return AccountMark(
        session=session,
        cash=account.cash,
        equity=equity,
        exposure=account.exposure,
        positions=len(account.positions),
        peak_equity=account.peak_equity,
        drawdown_pct=account.drawdown_of(equity),
        receivable=account.receivable,
    )


def _in_order(account: Account) -> Account:
    """Whatever order somebody gave the positions and holds, what happens is written in one."""
    positions = sorted(account.positions, key=lambda position: position.symbol)
    holds = sorted(account.holds, key=lambda hold: (hold.reason, hold.symbol or "", hold.note, hold.cause or ""))
    return Account(
        account.cash, tuple(positions), account.peak_equity, tuple(holds), account.receivables, account.n_events
    )


def _orders(signals: Sequence[Signal], session: date) -> dict[str, Signal]:
    orders: dict[str, Signal] = {}
    for signal in signals:
        if signal.session != session:
            raise ValueError(f"signal of {signal.symbol} was for {signal.session}; settling takes only {session}")
        if signal.symbol in orders:
            raise ValueError(f"{signal.symbol} had two signals for {session}; it must have one")
        orders[signal.symbol] = signal
    return {symbol: signal for symbol, signal in orders.items() if signal.actionable}


def _still_held(journal: Journal, leaving: Sequence[Signal]) -> set[str]:
    """The symbols of what is to leave. What has left meanwhile, by a session that was settled late, leaves no more."""
    if not leaving:
        return set()
    sign = {Action.SELL: Direction.LONG.sign, Action.BUY: Direction.SHORT.sign}
    held = journal.account.held
    there = {order.symbol for order in leaving if held.get(order.symbol, 0) * sign.get(order.action, 0) > 0}
    for order in sorted(leaving, key=lambda order: order.symbol):
        if order.symbol not in there:
            direction = Direction.LONG if order.action is Action.SELL else Direction.SHORT
            what = {"direction": direction, "quantity": order.quantity, "reason": Unfilled.NOT_HELD}
            journal.write(EventKind.UNFILLED, order.symbol, **what)
    return there
