"""The audit of what is configured: the daemon's own wiring, on the stored bars, else on a simulated market."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import get_args

import numpy as np
import pandas as pd
from sqlalchemy import Engine

from daemon.auditing.audited import DaemonPipeline
from daemon.bars.market import load_market
from daemon.config.own_features import load_own_features
from daemon.config.settings import Settings
from daemon.services import recipe_of
from daemon.sessions.desk import home_calendar
from ensemble.counted import counted
from ensemble.evaluation.audit.bench import Bench
from ensemble.evaluation.audit.effort import FULL, QUICK
from ensemble.evaluation.audit.finding import Finding, Verdict
from ensemble.evaluation.audit.rescoring import outcomes_again, wrong_outcomes, wrong_scores
from ensemble.evaluation.audit.suite import Check, audit
from ensemble.evaluation.audit.world import World, joined, last_months
from ensemble.evaluation.scored import Scored, scored_labels
from ensemble.evaluation.synthetic import SyntheticOptions, simulate_market
from ensemble.features.matrix import Market, build_panel
from ensemble.members.specs import LogitSpec, LstmSpec, MemberSpec, TreesSpec
from ensemble.model import EnsembleOptions
from storage.bar_store import newest_sessions
from storage.engine import reading
from storage.outcome_store import read_scored
from storage.tables import Origin

QUICK_WINDOW_YEARS = 2
QUICK_MIN_SESSIONS = 400
STACK_MONTHS = 2
"""Stack and gate learn from so many months: an audit asks who knew what, for which a year of them shows no more."""
QUICK_ROUNDS = 20
STORED_CHECK = "stored outcomes"


@dataclass(frozen=True, slots=True)
class Audited:
    """What is looked at, in words, and the bench it lies on."""

    market: str
    bench: Bench
    stored: Finding | None
    """What was found of stored forecasts; None where there are none with outcomes, or no bars."""

    def findings(self, checks: Sequence[Check]) -> Iterator[Finding]:
        """One after the other: each takes a while."""
        yield from audit(self.bench, checks)
        if self.stored is not None:
            yield self.stored


def prepare(settings: Settings, engine: Engine | None, *, today: date, full: bool) -> Audited:
    """The configured pipeline and its market; `engine` None: there is no store.

    Raises WindowError when the bars are too few to forecast from, ConfigError for own features that cannot be loaded.
    """
    own = load_own_features(settings.audit.features)
    ensemble = audited_ensemble(settings.ensemble, full=full)
    pipeline = DaemonPipeline(recipe_of(settings.model_copy(update={"ensemble": ensemble})), own)
    market = None if engine is None else stored_market(settings, engine, today)
    if engine is None or market is None:
        options = SyntheticOptions(auc=0.65, years=6, symbols=4)
        simulated = simulate_market(options).market(settings.labels.barrier.limits)
        return Audited("a simulated market, for no bars are stored", _bench(pipeline, ensemble, simulated, full), None)
    last = market.calendar.sessions[-1]
    name = f"{', '.join(market.bars)} until {last:%Y-%m-%d}"
    return Audited(name, _bench(pipeline, ensemble, market, full), stored_outcomes(engine, market))


def audited_ensemble(options: EnsembleOptions, *, full: bool) -> EnsembleOptions:
    """The configured ensemble with a short stack; unless `full` also without networks, and learning from two years."""
    stack = options.stack.model_copy(
        update={name: min(getattr(options.stack, name), STACK_MONTHS) for name in ("train_months", "gate_months")}
    )
    changes: dict[str, object] = {"stack": stack}
    if not full:
        changes["members"] = _quick_members(options.members)
        changes["window_years"] = min(options.window_years, QUICK_WINDOW_YEARS)
        changes["min_sessions"] = min(options.min_sessions, QUICK_MIN_SESSIONS)
    return options.model_copy(update=changes)


def stored_market(settings: Settings, engine: Engine, today: date) -> Market | None:
    """The stored bars up to the newest session that all traded symbols have; None without any."""
    with reading(engine) as conn:
        newest = newest_sessions(conn)
    symbols = settings.market.symbols
    if not all(symbol in newest for symbol in symbols):
        return None
    calendar = home_calendar(settings, pd.Timestamp(today).to_pydatetime())
    stop = int(calendar.sessions.searchsorted(min(newest[symbol] for symbol in symbols), side="right"))
    past = calendar.until(stop)
    return load_market(engine, settings, past)


def stored_outcomes(engine: Engine, market: Market) -> Finding | None:
    """Outcomes of stored forecasts worked out again from the bars, scores by scikit-learn; None without any.

    One whose bars have gone since can't be told any more, and is counted apart. Scores are compared, never shown: a
    hold-out stays closed.
    """
    known = [one for origin in get_args(Origin) for one in _stored(engine, market, origin) if one.known.any()]
    if not known:
        return None
    again = [outcomes_again(market, one) for one in known]
    clauses = [wrong_outcomes(one, found) for one, found in zip(known, again, strict=True)]
    if not joined(clauses):
        clauses = [wrong_scores(one.label, one) for one in known if len(np.unique(one.flat()[1])) == 2]
    if joined(clauses):
        return Finding(STORED_CHECK, Verdict.LEAK, joined(clauses))
    count = sum(int(one.known.sum()) for one in known)
    told = sum(int((one.known & np.isfinite(found)).sum()) for one, found in zip(known, again, strict=True))
    detail = f"{counted(told, 'outcome')} beside stored forecasts came out the same twice"
    if told < count:
        detail += f", {count - told:,} can't be told from the bars any more"
    return Finding(STORED_CHECK, Verdict.CLEAN if told else Verdict.INCONCLUSIVE, detail)


def _stored(engine: Engine, market: Market, origin: Origin) -> list[Scored]:
    sessions = market.calendar.sessions
    with reading(engine) as conn:
        rows = read_scored(conn, origin, first=sessions[0].date(), last=sessions[-1].date())
    return list(scored_labels(rows, market.limits).values())


def _bench(pipeline: DaemonPipeline, ensemble: EnsembleOptions, market: Market, full: bool) -> Bench:
    months = last_months(build_panel(market), ensemble, 1)
    return Bench(World(pipeline, ensemble, months, market), FULL if full else QUICK)


def _quick_members(members: tuple[MemberSpec, ...]) -> tuple[MemberSpec, ...]:
    """Those without networks, with few trees; a ridge-logit where there are none."""
    kept = tuple(_quick(one) for one in members if not isinstance(one, LstmSpec))
    return kept or (LogitSpec(),)


def _quick(member: MemberSpec) -> MemberSpec:
    if isinstance(member, TreesSpec):
        return member.model_copy(update={"rounds": min(member.rounds, QUICK_ROUNDS), "seeds": 1})
    return member
