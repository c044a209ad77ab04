"""The policy at the turn of a month: the challenger of the month past is judged, and the new version gets its place.

Live and backtest ask it the same, and it goes by nothing else than the events so far, the models and the bars.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from daemon.config.settings import Settings
from daemon.models.judging import Judge, TrialTask, judge_here
from daemon.models.standing import Standing
from ensemble.arrays import Floats
from ensemble.evaluation.promotion import Trial, describe_trial, fault_of, is_promoted
from ensemble.labels import LABELS, label_horizon
from ensemble.model import Model, member_odds
from ensemble.panel import Panel
from ensemble.windows import known_labels, month_of
from storage.promotion_store import POLICY, ModelEvent, ModelEventKind

RECENT_ROWS = 20
"""How many of the newest sessions a new version is asked about, to see that it is not degenerate."""


@dataclass(frozen=True)
class Policy:
    """[promotion] as it applies to one panel, which reaches from the beginning of history."""

    settings: Settings
    recipe: str
    panel: Panel
    at: datetime
    judge: Judge = judge_here

    def tried(
        self, challenger: Model, champion: Model, span: tuple[pd.Timestamp, pd.Timestamp], *, decides: bool
    ) -> list[ModelEvent]:
        """The trial over the sessions of `span`, from the first that the challenger has learnt nothing of, as an event.

        Its end is the session that it counts for, and is no part of it. Where it `decides`, also what it leads to: the
        challenger is promoted, or the champion kept.
        """
        since, session = span
        start, stop = self.panel.sessions.searchsorted(pd.DatetimeIndex([since, session]))
        trials = self._trials(challenger, champion, slice(int(start), int(stop)))
        trial = trials[self.settings.signals.label]
        scores = {label: one.scores() for label, one in trials.items()}
        verdict = trial.verdict(self.settings.promotion.max_p_value)
        note = f"{verdict}: {trial.fault or describe_trial(trial.scores())}"
        sides = (session, challenger, champion.model_id)
        judged = self._event(ModelEventKind.JUDGED, *sides, note=note, scores=scores)
        if not decides:
            return [judged]
        age = _months_between(champion.month, self.settings.ensemble.serving(month_of(session))) + 1
        if is_promoted(trial, self.settings.promotion, champion_age_months=0):
            return [judged, self._event(ModelEventKind.PROMOTED, *sides, note=note)]
        if is_promoted(trial, self.settings.promotion, champion_age_months=age):
            note += f"; but the other would be {age} months old"
            return [judged, self._event(ModelEventKind.PROMOTED, *sides, note=note)]
        return [judged, self._event(ModelEventKind.KEPT, *sides, note=note)]

    def received(
        self, model: Model, standing: Standing, session: pd.Timestamp, *, why: str = ""
    ) -> Iterator[ModelEvent]:
        """What becomes of a new version: it serves at once, is tried, or waits for a person. `why` it is there."""
        champion, options = standing.champion, self.settings.promotion
        if standing.pinned or model.model_id in standing.considered:
            return
        fault = self._fault(model, session)
        if fault and champion:
            kind, note = ModelEventKind.HELD, f"degenerate: {fault}"
        elif champion is None or options.policy == "newest":
            kind, note = ModelEventKind.PROMOTED, f"there is no other, but {fault}" if fault else "the newest"
        elif options.tries:
            kind, note = ModelEventKind.TRIED, "scored beside the champion until the next version"
        else:
            kind, note = ModelEventKind.HELD, f"`models promote {model.model_id}` lets it serve"
        yield self._event(kind, session, model, champion, note=f"{why}; {note}" if why else note)

    def fault(self, log_odds: Floats, rows: slice) -> str:
        """What makes worthless what is said of the traded label in `rows`; empty where nothing does."""
        column = LABELS.index(self.settings.signals.label)
        return fault_of(log_odds[..., column][self.panel.bar_age[:, rows] >= 0])

    def _trials(self, challenger: Model, champion: Model, rows: slice) -> dict[str, Trial]:
        limits = self.settings.labels.barrier.limits
        task = TrialTask(
            self._combined(challenger, rows),
            self._combined(champion, rows),
            known_labels(self.panel, rows, before=rows.stop, limits=limits).astype(np.float64),
            self.panel.bar_age[:, rows] >= 0,
            tuple(label_horizon(label, limits) + 1 for label in LABELS),
        )
        return self.judge(task, self.settings.workers.limits)

    def _combined(self, model: Model, rows: slice) -> Floats:
        """Log-odds, (n_symbols, n_rows, n_labels)."""
        return model.combiner.log_odds(member_odds(model.members, self.panel, rows))

    def _fault(self, model: Model, session: pd.Timestamp) -> str:
        stop = int(self.panel.sessions.searchsorted(session))
        rows = slice(max(stop - RECENT_ROWS, 0), stop)
        return self.fault(self._combined(model, rows), rows)

    def _event(  # noqa: PLR0913 - one for each column
        self,
        kind: ModelEventKind,
        session: pd.Timestamp,
        model: Model,
        rival: str | None,
        *,
        note: str,
        scores: Mapping[str, Any] | None = None,
    ) -> ModelEvent:
        return ModelEvent(self.at, session.date(), kind, model.model_id, rival, self.recipe, POLICY, note, scores)


def _months_between(first: str, last: str) -> int:
    return int(pd.Period(last, "M").ordinal - pd.Period(first, "M").ordinal)
