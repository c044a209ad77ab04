"""The orders of sessions that are decided and not settled, from the store to the broker."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time

import pandas as pd
from sqlalchemy import Connection

from daemon.config.settings import Settings
from daemon.services import Services
from daemon.sessions.broker import Order, OrderType
from daemon.sessions.desk import home_calendar
from ensemble.fills import ExitReason
from ensemble.sessions import SessionCalendar
from ensemble.trading.account import Account, Position, open_account
from ensemble.trading.costs import Product, Side
from ensemble.trading.guards import forbidden_entries
from ensemble.trading.holdings import Direction
from ensemble.trading.signals import Action, Signal
from storage.engine import reading
from storage.run_store import unsettled_sessions
from storage.signal_store import read_decision_instants, read_signals
from storage.tables import LIVE


def hand_over(services: Services) -> None:
    """Tells the broker the orders that it has not got: of the session just decided, and of one that a crash cut off;
    and which of them a halt that came later takes back.

    Once a session is settled its orders are history, and nobody is told any more.
    """
    broker, earlier = services.broker, list[list[Order]]()
    calendar = home_calendar(services.settings, services.clock.now())
    with reading(services.engine) as conn:
        for session in _unsettled(conn, calendar):
            account = services.book.read(conn, LIVE) or open_account(services.settings.risk)
            told = _Told(session, _decided_at(conn, session), account, services.settings, tuple(earlier))
            at_open = told.at_open(read_signals(conn, LIVE, session))
            orders, withdrawn = [*at_open, *told.at_close(at_open)], told.withdrawn(at_open)
            back = {one.symbol for one in withdrawn}
            earlier.append([one for one in orders if one.symbol not in back])
            if not broker.has(session):
                broker.place(session, orders)
            if broker.has(session):
                broker.withdraw(session, withdrawn)


def unsettled_signals(conn: Connection, calendar: SessionCalendar, *, before: date) -> list[Signal]:
    """The signals of sessions that are decided and not settled, of those before `before`."""
    sessions = [session for session in _unsettled(conn, calendar) if session < before]
    return [signal for session in sessions for signal in read_signals(conn, LIVE, session)]


def _unsettled(conn: Connection, calendar: SessionCalendar) -> list[date]:
    """Those that wait to be settled; one that turned out to be no session does not."""
    return [session for session in unsettled_sessions(conn, LIVE) if pd.Timestamp(session) in calendar.sessions]


def _decided_at(conn: Connection, session: date) -> datetime:
    return read_decision_instants(conn, LIVE, first=session, last=session)[session]


@dataclass(frozen=True, slots=True)
class _Told:
    """What a broker is told about one session."""

    session: date
    decided_at: datetime
    account: Account
    settings: Settings
    earlier: Sequence[Sequence[Order]] = ()
    """What stands of each session before it that is not settled either, oldest first."""

    def at_open(self, signals: Iterable[Signal]) -> list[Order]:
        """What the actionable signals ask to be traded; none of a late one is."""
        return [self._order(one) for one in signals if one.actionable and one.reference_price is not None]

    def at_close(self, at_open: Sequence[Order]) -> list[Order]:
        """What reaches its last session and is not ordered to leave before; none where that close was over already.

        Sessions that are not settled yet count as if they were: nothing is told to leave twice.
        """
        calendar = home_calendar(self.settings, datetime.combine(self.session, time()))
        close = calendar.closes[calendar.sessions == pd.Timestamp(self.session)]
        if not len(close) or pd.Timestamp(self.decided_at) >= close[0]:
            return []
        told, most = (*self.earlier, at_open), self.settings.risk.max_holding_sessions
        leaving = {one.symbol for orders in told for one in orders if not one.opens}
        held = [one for one in self.account.positions if one.sessions_held + len(told) >= most]
        entered = [one for orders in told[: max(len(told) + 1 - most, 0)] for one in orders if one.opens]
        orders = [*map(self._last_session, held), *map(self._out_again, entered)]
        return [one for one in orders if one.symbol not in leaving]

    def withdrawn(self, at_open: Sequence[Order]) -> list[Order]:
        """The entries that a halt forbids, which the paper account will not make either, and why."""
        entries = [one for one in at_open if one.opens]
        why = forbidden_entries(self.account, [one.symbol for one in entries], self.session)
        return [replace(one, reasons=why[one.symbol]) for one in entries if one.symbol in why]

    def _order(self, signal: Signal) -> Order:
        return Order(
            session=self.session,
            symbol=signal.symbol,
            side=Side.BUY if signal.action is Action.BUY else Side.SELL,
            quantity=signal.quantity,
            reference_price=signal.reference_price or 0.0,
            value_limit=signal.value_limit,
            product=self._product,
            reasons=signal.reasons,
            decided_at=self.decided_at,
            stop_loss_pct=signal.stop_loss_pct if signal.opens else None,
            take_profit_pct=signal.take_profit_pct if signal.opens else None,
        )

    def _last_session(self, held: Position) -> Order:
        return Order(
            session=self.session,
            symbol=held.symbol,
            side=Side.SELL if held.direction is Direction.LONG else Side.BUY,
            quantity=held.quantity,
            reference_price=held.last_close,
            value_limit=None,
            product=self._product,
            reasons=(ExitReason.TIME,),
            decided_at=self.decided_at,
            stop_loss_pct=None,
            take_profit_pct=None,
            order_type=OrderType.MARKET_AT_CLOSE,
        )

    def _out_again(self, entry: Order) -> Order:
        """What leaves at the close of the session, and came in with it or with an earlier one."""
        side = Side.SELL if entry.side is Side.BUY else Side.BUY
        closing = replace(entry, side=side, value_limit=None, stop_loss_pct=None, take_profit_pct=None)
        closing = replace(closing, session=self.session, decided_at=self.decided_at)
        return replace(closing, reasons=(ExitReason.TIME,), order_type=OrderType.MARKET_AT_CLOSE)

    @property
    def _product(self) -> Product:
        return Product.FUTURES if self.settings.risk.product == "futures" else Product.DELIVERY
