"""Who serves the months of a backtest: the version of each, unless it is degenerate; or whom trials promote."""

from dataclasses import dataclass, field, replace

import pandas as pd
from loguru import logger

from daemon.models.loading import set_damaged_aside
from daemon.models.promotion import Policy
from daemon.models.shelf import Shelf
from daemon.models.standing import Standing
from daemon.services import Services
from ensemble.model import Model
from ensemble.windows import months_before
from storage.model_store import ModelStoreError
from storage.promotion_store import ModelEvent, ModelEventKind


@dataclass
class PastServing:
    """Months are asked about in their order; where versions are tried, the first of them begins with its own.

    Nobody can be asked in a backtest: with policy "manual" the newest serves. Nor does an alarm ever ring
    in one: no version of it is made early.
    """

    services: Services
    shelf: Shelf
    events: list[ModelEvent] = field(default_factory=list)
    """What happened to versions where they are tried; elsewhere, which were held back."""
    _standing: Standing = field(default_factory=Standing)
    _versions: dict[str, Model] = field(default_factory=dict)
    """Month -> the version that was made for it."""
    _champions: dict[str, Model] = field(default_factory=dict)

    def prepare(self, months: list[str]) -> None:
        """Finds the versions of these months, and trains what the others miss, all at once."""
        found = {month: self._found(month) for month in months}
        self._versions.update({month: model for month, model in found.items() if model is not None})
        self.shelf.factory().train([month for month, model in found.items() if model is None])

    def model(self, month: str) -> Model:
        """Who serves `month`, the first one that its version was trained for. Raises as `Shelf.made`."""
        if month not in self._champions:
            tries = self.services.settings.promotion.tries
            self._champions[month] = self._champion(month) if tries else self._newest(month)
        return self._champions[month]

    def remake(self, month: str) -> None:
        """The version of `month` is published again: a part of it was damaged."""
        self._versions[month] = self.shelf.made(month)
        self._champions.pop(month, None)

    def _version(self, month: str) -> Model:
        if month not in self._versions:
            self._versions[month] = self._found(month) or self.shelf.made(month)
        return self._versions[month]

    def _found(self, month: str) -> Model | None:
        """The version of `month`, whole to the last part where versions are tried, for then all of it is asked."""
        model = self.shelf.found(month)
        if model is None or not self.services.settings.promotion.tries:
            return model
        try:
            _ = replace(model).members  # of a copy, so that they go again
        except ModelStoreError as error:
            logger.error("{} Making it again.", error)
            set_damaged_aside(self.services.models, model.model_id)
            return None
        return model

    def _newest(self, month: str) -> Model:
        try:
            return self._unless_degenerate(self._version(month))
        except ModelStoreError as error:
            logger.error("{} Making it again.", error)
            self.remake(month)
            return self._unless_degenerate(self._version(month))

    def _unless_degenerate(self, version: Model) -> Model:
        """The version; one that the policy holds back leaves it to whoever served before."""
        before = next(
            (self._champions[one] for one in sorted(self._champions, reverse=True) if one < version.month), None
        )
        if before is None:
            return version
        policy = self._policy()
        # What it says of its own month is kept, its members are not read for that: the policy is asked where it is odd.
        rows, odds = self.shelf.factory().month_odds(version.month)
        if not policy.fault(version.combiner.log_odds(odds), rows):
            return version
        standing = Standing(served=(before.model_id,))
        received = policy.received(replace(version), standing, self._first_session(version.month))
        held = [event for event in received if event.kind is ModelEventKind.HELD]
        self.events += held
        return before if held else version

    def _champion(self, month: str) -> Model:
        """After the trial of the month before, and with the month's own version received."""
        session, policy = self._first_session(month), self._policy()
        challenger = self._versions.get(self.services.settings.ensemble.serving(months_before(month, 1)[0]))
        if challenger is not None and challenger.model_id in self._standing.on_trial:
            champion = self._named(self._standing.champion)
            # Copies, so that their members go once they were asked.
            span = pd.Timestamp(challenger.month), session
            self._happens(*policy.tried(replace(challenger), replace(champion), span, decides=True))
        self._happens(*policy.received(replace(self._version(month)), self._standing, session))
        return self._named(self._standing.champion)

    def _policy(self) -> Policy:
        services, panel = self.services, self.shelf.factory().panel
        return Policy(services.settings, services.recipe().digest(), panel, services.clock.now())

    def _first_session(self, month: str) -> pd.Timestamp:
        sessions = self.shelf.factory().panel.sessions
        return sessions[int(sessions.searchsorted(pd.Timestamp(month)))]

    def _happens(self, *events: ModelEvent) -> None:
        for event in events:
            self.events.append(event)
            self._standing = self._standing.after(event)

    def _named(self, model_id: str | None) -> Model:
        return next(one for one in self._versions.values() if one.model_id == model_id)
