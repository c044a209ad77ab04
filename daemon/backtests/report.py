"""What a backtest comes to, worked out for people and files; of the sessions that are held out, nothing."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd

from daemon.backtests.backtest import Replayed, scored_forecasts
from daemon.bars.demergers import price_steps, read_demergers
from daemon.bars.market import continued
from daemon.config.settings import Settings
from daemon.evaluating.holdout import without_holdout
from daemon.services import Services
from daemon.sessions.desk import home_calendar
from ensemble.counted import counted
from ensemble.evaluation.account_path import AccountPath, Line, path_of
from ensemble.evaluation.account_report import AccountMarket, AccountReport, account_report
from ensemble.evaluation.edge_split import EdgeSplit, edge_splits, session_moves
from ensemble.evaluation.replay import TradedMarket, Trader, traded_sessions
from ensemble.evaluation.right_share import LabelScore, score_labels
from ensemble.evaluation.scored import scored_labels
from ensemble.trading.account import Direction
from ensemble.trading.demerger_table import Demerger
from ensemble.trading.signals import Action, Reason, Signal, SignalOptions
from storage.bar_store import read_bars
from storage.engine import reading
from storage.trial_store import number_of_accounts

BARS_BEFORE = timedelta(days=400)
"""What a first decision may look back on."""
DECIDED = {
    *(Reason.ALREADY_HELD, Reason.ALREADY_ORDERED, Reason.NOTHING_TO_SELL, Reason.DISAGREEMENT),
    *(Reason.MAX_POSITIONS, Reason.MAX_EXPOSURE, Reason.NO_CAPITAL, Reason.NO_VOLATILITY),
    *(Reason.DRAWDOWN_HALT, Reason.DAILY_LOSS, Reason.COOL_DOWN, Reason.KILL_SWITCH),
}
"""Why a signal holds whose forecast was sure enough to act on: it would have closed a position of the other side."""


@dataclass(frozen=True, slots=True)
class BacktestReport:
    """The replayed sessions that may be seen, and what they come to."""

    replayed: Sequence[Replayed]
    held_back: str
    """A line about those that may not; empty when there is none."""
    scores: tuple[LabelScore, ...]
    edges: tuple[EdgeSplit, ...]
    path: AccountPath
    account: AccountReport

    @property
    def span(self) -> tuple[date, date]:
        """First and last session."""
        return self.replayed[0].decision.session, self.replayed[-1].decision.session

    @property
    def signals(self) -> tuple[Signal, ...]:
        """Every signal, in order of the sessions."""
        return tuple(signal for one in self.replayed for signal in one.decision.signals)


def backtest_report(services: Services, replayed: Sequence[Replayed]) -> BacktestReport | str:
    """The report of a backtest that has just been stored; only the line about the held-out sessions if all are."""
    settings = services.settings
    seen, held_back = before_holdout(replayed, settings)
    if not seen:
        return held_back
    first, last = seen[0].decision.session, seen[-1].decision.session
    panel = (*settings.market.symbols, *settings.market.peers)
    with reading(services.engine) as conn:
        said = scored_forecasts(conn, seen)
        bars = read_bars(conn, panel, first=first - BARS_BEFORE)
        demergers = read_demergers(conn, settings)
        trials = number_of_accounts(conn)
    limits, now = settings.labels.barrier.limits, services.clock.now()
    rows = without_holdout(said, settings, now=now)
    seen_bars = {symbol: frame.loc[: pd.Timestamp(last)] for symbol, frame in bars.items()}
    bars = continued(seen_bars, price_steps(demergers))
    path = path_of([one.settlement for one in seen], capital=settings.risk.initial_capital)
    market = account_market(services, seen, bars, demergers)
    sessions = home_calendar(settings, now).between(first - BARS_BEFORE, last)
    return BacktestReport(
        replayed=seen,
        held_back=held_back,
        scores=score_labels(rows, limits),
        edges=edge_splits(
            scored_labels(rows, limits),
            session_moves(bars, sessions),
            min_confidence=settings.signals.min_confidence,
            traded=settings.market.symbols,
        ),
        path=path,
        account=account_report(path, market, trials=trials, risk_free_pct=settings.evaluation.risk_free_pct),
    )


def before_holdout(replayed: Sequence[Replayed], settings: Settings) -> tuple[Sequence[Replayed], str]:
    """What may be shown, and a line about what may not; no line when all may be shown."""
    last = settings.evaluation.last_open(replayed[-1].decision.session)
    seen = [one for one in replayed if one.decision.session <= last]
    held_back = len(replayed) - len(seen)
    since = f"from {settings.evaluation.holdout_from} on are held out; `evaluate --open-holdout` shows them once."
    return seen, f"{counted(held_back, 'session')} {since}" if held_back else ""


def account_market(
    services: Services, seen: Sequence[Replayed], bars: Mapping[str, pd.DataFrame], demergers: tuple[Demerger, ...]
) -> AccountMarket:
    """The market that the account traded in, over the sessions that may be seen; `bars` at least of what is traded."""
    settings = services.settings
    traded = {symbol: bars[symbol] for symbol in settings.market.symbols}
    market = TradedMarket(
        home_calendar(settings, services.clock.now()),
        traded,
        settings.schedule.decision_time,
        settings.feed.delay_min,
        demergers,
    )
    sessions = traded_sessions(market, seen[0].decision.session, seen[-1].decision.session)
    # Entries are told to it, so no gate is asked; only old bars may keep it from one.
    told = SignalOptions(label=settings.signals.label, max_bar_age_sessions=settings.signals.max_bar_age_sessions)
    lines = [(symbol, direction) for symbol in traded for direction in Direction]
    return AccountMarket(Trader(sessions, told, settings.rules), traded, {line: _turns(seen, line) for line in lines})


def _turns(seen: Sequence[Replayed], line: Line) -> Collection[date]:
    """Sessions in which a position of the line was closed by its forecast, or would have been, had it been held."""
    symbol, direction = line
    return {
        signal.session
        for one in seen
        for signal in one.decision.signals
        if signal.symbol == symbol
        and signal.probability is not None
        and (signal.probability > 0.5) == (direction is Direction.SHORT)
        and (signal.action is not Action.HOLD or DECIDED.intersection(signal.reasons))
        and not signal.late
    }
