"""What a decision knows of the account and the prices: the same live, in a backtest and in a replay."""

from collections.abc import Mapping
from datetime import date

from ensemble.trading.guards import forbidden_entries
from ensemble.trading.holdings import Account
from ensemble.trading.signals import Quote, Situation


def situation_of(account: Account, session: date, quotes: Mapping[str, Quote], *, late: bool) -> Situation:
    """The situation when `session` is decided: the account as last settled, and its guards."""
    return Situation(
        session=session,
        late=late,
        cash=account.free_cash,
        equity=account.equity,
        held=account.held,
        quotes=quotes,
        exposure=account.exposure,
        forbidden=forbidden_entries(account, quotes, session),
    )
