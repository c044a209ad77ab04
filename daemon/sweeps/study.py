"""A search as the ledger of trials knows it: what was tried, what comes next, and on which months it is scored."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from pydantic import TypeAdapter

from daemon.backtests.backtest import stored_sessions
from daemon.console.progress import silent
from daemon.errors import DaemonError
from daemon.services import Services
from daemon.sessions.desk import open_desk
from daemon.sweeps.member_walk import MemberWalk
from daemon.sweeps.search import Tried, propose
from ensemble.evaluation.search_space import first_specs, params_of, search_space, spec_of
from ensemble.members.specs import MemberEntry, MemberSpec, training_settings
from storage.engine import reading
from storage.trial_store import Trial, TrialState, read_trials


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a sweep is asked for."""

    first: date
    last: date
    label: str
    trials: int
    """How many there are to be in all, the ones of earlier calls included."""


@dataclass(frozen=True)
class Study:
    """One search under way: the months, where it is kept, and what was tried."""

    services: Services
    wanted: Wanted
    """With the first and the last session that there really is, before the hold-out."""
    walk: MemberWalk
    trials: list[Trial] = field(default_factory=list)
    """Those that have ended, in order."""

    @property
    def name(self) -> str:
        """By all that makes its trials comparable, so that another range or seed is another study."""
        options, wanted = self.services.settings.sweep, self.wanted
        what = [options.model_dump(mode="json"), self._inputs, f"{wanted.first} {wanted.last}"]
        return f"{wanted.label}-{wanted.first:%Y%m%d}-{wanted.last:%Y%m%d}-{_digest(what)}"

    def look(self, number: int) -> list[str]:
        """The months that trials are scored on at their look of that number, from 0; each look has those before."""
        options = self.services.settings.sweep
        return [month for part in self.walk.parts(options.looks, seed=options.seed)[: number + 1] for month in part]

    @property
    def looks(self) -> int:
        """How many looks a complete trial takes."""
        options = self.services.settings.sweep
        return len(self.walk.parts(options.looks, seed=options.seed))

    def spec(self, number: int) -> MemberSpec:
        """What trial `number` tries: the presets first, then what follows from the trials before it."""
        options = self.services.settings.sweep
        first = first_specs(options)
        if number < len(first):
            return first[number]
        return spec_of(propose(search_space(options), self.tried(), seed=options.seed), f"trial-{number}", options)

    def tried(self) -> list[Tried]:
        """The trials that have ended, as the search sees them."""
        options = self.services.settings.sweep
        return [
            Tried(
                params_of(spec_in(trial), options),
                trial.scores.log_loss if trial.state == TrialState.COMPLETE else None,
                trial.progress or (),
            )
            for trial in self.trials
        ]

    def begun(self, number: int) -> Trial:
        """Trial `number` as it begins."""
        spec, now = self.spec(number), self.services.clock.now()
        figures = training_settings(spec) | {"seeds": spec.seeds}
        return Trial(
            trial_id=f"{self.name}-{number:04d}",
            kind="sweep",
            study=self.name,
            number=number,
            state=TrialState.RUNNING,
            digest=_digest([figures, self.wanted.label, self._inputs]),
            settings=spec.model_dump(mode="json"),
            label=self.wanted.label,
            first_session=self.wanted.first,
            last_session=self.wanted.last,
            started_at=now,
            code_version=self.services.recipe().code_version,
        )

    @property
    def _inputs(self) -> list[str]:
        recipe = self.services.recipe()
        walk = recipe.ensemble.model_dump_json(exclude={"members", "stack"})
        return [walk, recipe.limits.model_dump_json(), recipe.inputs, recipe.training_version]


def open_study(services: Services, wanted: Wanted) -> Study:
    """The study as it stands in the ledger. Raises as `sweep` does."""
    last = services.settings.evaluation.last_open(wanted.last)
    if last < wanted.first:
        raise DaemonError(
            f"--from {wanted.first} lies in the hold-out from {services.settings.evaluation.holdout_from} on, which no "
            "sweep may touch; choose an earlier range."
        )
    calendar, sessions = stored_sessions(services, first=wanted.first, last=last)
    desk = open_desk(services, calendar, last=sessions[-1])
    walk = MemberWalk(desk, wanted.label, sessions, silent)
    asked = replace(wanted, first=sessions[0].date(), last=sessions[-1].date())
    study = Study(services, asked, walk)
    with reading(services.engine) as conn:
        study.trials.extend(_ended(read_trials(conn, study=study.name)))
    return study


def _ended(trials: Sequence[Trial]) -> list[Trial]:
    """Without the one that was interrupted, and without failures at the end, whose cause may be gone by now."""
    ended = [trial for trial in trials if trial.state != TrialState.RUNNING]
    while ended and ended[-1].state == TrialState.FAILED:
        ended.pop()
    return ended


def spec_in(trial: Trial) -> MemberSpec:
    """What the trial tried."""
    spec: MemberSpec = TypeAdapter(MemberEntry).validate_python(trial.settings)
    return spec


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
