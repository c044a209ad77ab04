"""What stands behind forecasts: what past ones were worth, and past trades, as known when a session was decided."""

from dataclasses import dataclass, replace
from datetime import date
from types import MappingProxyType

import pandas as pd

from daemon.config.settings import Settings
from ensemble.arrays import Integers
from ensemble.features.as_of import newest_known
from ensemble.features.matrix import Market
from ensemble.model import Model
from ensemble.session_forecasts import SessionForecasts
from ensemble.trading.continuity import Steps
from ensemble.trading.costs import Product
from ensemble.trading.gate import Beliefs, round_trip_cost
from ensemble.trading.limits import RiskLimits
from ensemble.trading.payoffs import PAYOFF_SESSIONS, PastTrades, Payoffs, past_trades
from ensemble.windows import month_of

SMALLEST_TRADE = 1.0
"""What a trade of an account without equity would be worth, in its currency: nobody makes it."""


@dataclass(frozen=True)
class Experience:
    """Past trades of symbols and peers, and how many sessions had closed at each decision."""

    sessions: pd.DatetimeIndex
    known_sessions: Integers
    """One a session: how many of `sessions` had a bar that was known when it was decided."""
    trades: PastTrades

    def payoffs(self, session: date) -> Payoffs | None:
        """What trades earned, as known at the decision of `session`; None where they are too few."""
        return self.trades.payoffs(int(self.known_sessions[self.sessions.get_loc(pd.Timestamp(session))]))


def open_experience(
    market: Market, *, first: pd.Timestamp, label: str, limits: RiskLimits, steps: Steps = MappingProxyType({})
) -> Experience:
    """The experience that decisions from session `first` on can have of trades under `limits`, held over `steps`."""
    calendar = market.calendar
    # As far back as the oldest trade that counts, and the close before it.
    begin = max(calendar.position(first) - PAYOFF_SESSIONS - limits.max_holding_sessions, 0)
    sessions = calendar.sessions[begin:]
    known_at = market.known_at(sessions, calendar.exchange)
    known_sessions = newest_known(known_at, calendar.decisions(market.decision_time)[begin:]) + 1
    trades = past_trades(market.bars, sessions=sessions, label=label, limits=limits, asked=market.limits, steps=steps)
    return Experience(sessions, known_sessions, trades)


def beliefs_about(
    said: SessionForecasts, model: Model, experience: Experience | None, *, settings: Settings, equity: float
) -> Beliefs:
    """What the gate may go by for the session of `said`, of which `model` spoke.

    `experience` is for a gate that weighs trades, whose size follows from the `equity`.
    """
    label = settings.signals.label
    beliefs = Beliefs(
        evidence=model.combiner.evidence(label),
        spreads={} if settings.signals.max_disagreement is None else said.spreads(label),
        model_age_months=model_age_months(said.session, model, settings),
    )
    if experience is None:
        return beliefs
    value = max(equity * settings.risk.position_pct / 100, SMALLEST_TRADE)
    product = Product.FUTURES if settings.risk.product == "futures" else Product.DELIVERY
    cost = round_trip_cost(settings.rules, value=value, session=said.session, product=product)
    return replace(beliefs, payoffs=experience.payoffs(said.session), round_trip_cost=cost)


def model_age_months(session: date, model: Model, settings: Settings) -> int:
    """1 for the model that was made for the month or quarter of `session`, 2 for one a month older."""
    due = pd.Period(settings.ensemble.serving(month_of(pd.Timestamp(session))), "M")
    return int(due.ordinal - pd.Period(model.month, "M").ordinal) + 1
