"""The orders of sessions that are decided and not settled, from the store to the broker."""

from datetime import date

from sqlalchemy import Connection

from daemon.broker import Order
from daemon.services import Services
from ensemble.trading.costs import Product, Side
from ensemble.trading.signals import Action, Signal
from storage.account_store import read_account
from storage.engine import reading
from storage.run_store import done_runs
from storage.signal_store import read_decision_instants, read_signals
from storage.tables import LIVE


def hand_over(services: Services) -> None:
    """Tells the broker the orders that it has not got: of the session just decided, and of one that a crash cut off.

    Once a session is settled its orders are history, and nobody is told any more.
    """
    product = Product.FUTURES if services.settings.risk.product == "futures" else Product.DELIVERY
    with reading(services.engine) as conn:
        for session in sorted(done_runs(conn, LIVE, "decide") - done_runs(conn, LIVE, "settle")):
            if not services.broker.has(session):
                services.broker.place(session, orders_of(conn, session, product))


def orders_of(conn: Connection, session: date, product: Product) -> list[Order]:
    """What the actionable signals of a session ask to be traded; none of a late one is."""
    decided_at = read_decision_instants(conn, LIVE, first=session, last=session)[session]
    account = read_account(conn, LIVE)
    held = account.held if account else {}
    return [
        Order(
            session,
            signal.symbol,
            Side.BUY if signal.action is Action.BUY else Side.SELL,
            signal.quantity,
            signal.reference_price,
            signal.value_limit,
            product,
            signal.reasons,
            decided_at,
            *_levels_pct(signal, held.get(signal.symbol, 0)),
        )
        for signal in read_signals(conn, LIVE, session)
        if signal.actionable and signal.reference_price is not None
    ]


def _levels_pct(signal: Signal, held: int) -> tuple[float | None, float | None]:
    closes = (held > 0 and signal.action is Action.SELL) or (held < 0 and signal.action is Action.BUY)
    return (None, None) if closes else (signal.stop_loss_pct, signal.take_profit_pct)
