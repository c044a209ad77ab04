"""What a decision knows of the account and the prices: the same live, in a backtest and in a replay."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date

from ensemble.trading.guards import forbidden_entries
from ensemble.trading.holdings import Account
from ensemble.trading.signals import Action, Quote, Signal, Situation


def situation_of(
    account: Account, session: date, quotes: Mapping[str, Quote], *, late: bool, unsettled: Iterable[Signal] = ()
) -> Situation:
    """The situation when `session` is decided: the account as last settled, and its guards.

    `unsettled` are the signals of earlier sessions that wait for their settlement, as for a bar that has not come. What
    they buy takes its place and its money already; what they sell frees neither.
    """
    orders = [signal for signal in unsettled if _stands(signal, account)]
    ordered = Counter[str]()
    for order in orders:
        ordered[order.symbol] += order.quantity if order.action is Action.BUY else -order.quantity
    promised = sum((order.value_limit or 0.0 for order in orders), 0.0)
    return Situation(
        session=session,
        late=late,
        cash=account.free_cash - promised,
        equity=account.equity,
        held=account.held,
        quotes=quotes,
        exposure=account.exposure + promised,
        forbidden=forbidden_entries(account, quotes, session),
        ordered={symbol: shares for symbol, shares in ordered.items() if shares},
    )


def _stands(signal: Signal, account: Account) -> bool:
    """It is to be traded, and no halt that came later takes it back."""
    withdrawn = signal.opens and forbidden_entries(account, [signal.symbol], signal.session)
    return signal.actionable and not withdrawn
