"""The account as other rules would have left it: stored forecasts, the daemon's own decisions, fills and costs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time

import pandas as pd

from ensemble.features.as_of import newest_known
from ensemble.sessions import SessionCalendar
from ensemble.trading.account import Account, Settlement, open_account, settle
from ensemble.trading.actions import held_actions
from ensemble.trading.demerger_table import Demerger
from ensemble.trading.rules import TradingRules
from ensemble.trading.session_bars import SessionBars
from ensemble.trading.signals import Quote, Signal, SignalOptions, decide_signals
from ensemble.trading.situation import situation_of


@dataclass(frozen=True, slots=True)
class TradedMarket:
    """What trading needs to know: sessions, complete bars by symbol, and when a bar is known."""

    calendar: SessionCalendar
    bars: Mapping[str, pd.DataFrame]
    decision_time: time
    delay_min: int
    demergers: tuple[Demerger, ...] = ()


@dataclass(frozen=True, slots=True)
class TradedSessions:
    """Consecutive sessions as they are decided and settled; made once for any number of rules."""

    sessions: tuple[date, ...]
    symbols: tuple[str, ...]
    bars: SessionBars
    quotes: Mapping[date, Mapping[str, Quote]]
    demergers: tuple[Demerger, ...]


def traded_sessions(market: TradedMarket, first: date, last: date) -> TradedSessions:
    """The calendar's sessions from `first` to `last`, with the quotes known when each is decided."""
    sessions = market.calendar.between(first, last)
    start = int(market.calendar.sessions.searchsorted(pd.Timestamp(first)))
    rows = slice(start, start + len(sessions))
    bars = SessionBars(market.bars)
    quotes: dict[date, dict[str, Quote]] = {session: {} for session in sessions.date}
    for symbol in market.bars:
        for session, quote in zip(sessions.date, _quotes(symbol, market, bars, rows), strict=True):
            if quote is not None:
                quotes[session][symbol] = quote
    return TradedSessions(tuple(sessions.date), tuple(market.bars), bars, quotes, market.demergers)


@dataclass(frozen=True, slots=True)
class Trader:
    """Decides and settles one session after the other, as the daemon does."""

    traded: TradedSessions
    options: SignalOptions
    rules: TradingRules

    def live(self, account: Account, session: date, said: Mapping[str, float]) -> Settlement:
        """The account after `session`, decided by `said`: probabilities of `options.label` by symbol."""
        signals = self._decided(account, session, said) if said else ()
        traded = self.traded
        return settle(
            account,
            session=session,
            bars=traded.bars.on(session),
            signals=signals,
            rules=self.rules,
            actions=held_actions(account, traded.bars, session, traded.demergers),
        )

    def _decided(self, account: Account, session: date, said: Mapping[str, float]) -> tuple[Signal, ...]:
        return decide_signals(
            {symbol: said.get(symbol) for symbol in self.traded.symbols},
            situation_of(account, session, self.traded.quotes[session], late=False),
            options=self.options,
            limits=self.rules.limits,
        )


def replay(
    probabilities: Mapping[date, Mapping[str, float]],
    traded: TradedSessions,
    *,
    options: SignalOptions,
    rules: TradingRules,
) -> tuple[Settlement, ...]:
    """One settlement a session, beginning with `rules.limits.initial_capital` in cash and nothing held.

    `probabilities` are those of `options.label`, by session and symbol; where one is missing nothing is done. All
    decisions count as made in time, by a fresh model whose members agree. Nothing else is known of the forecasts: where
    `options.gate` asks for evidence, it finds none.
    """
    trader, account, settled = Trader(traded, options, rules), open_account(rules.limits), []
    for session in traded.sessions:
        settled.append(trader.live(account, session, probabilities.get(session, {})))
        account = settled[-1].account
    return tuple(settled)


def _quotes(symbol: str, market: TradedMarket, traded: SessionBars, rows: slice) -> list[Quote | None]:
    """The last close known at each decision, its age and volatility; None where there is none."""
    index, calendar = pd.DatetimeIndex(market.bars[symbol].index), market.calendar
    known_at = calendar.known_at(index, delay_min=market.delay_min)
    known = newest_known(known_at, calendar.decisions(market.decision_time)[rows])
    days, place = index.date, calendar.sessions.searchsorted(index)
    return [
        None
        if row < 0
        else Quote(traded.close(symbol, days[row]), int(session - place[row]), traded.volatility(symbol, days[row]))
        for session, row in enumerate(known.tolist(), start=rows.start)
    ]
