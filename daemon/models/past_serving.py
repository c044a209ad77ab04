"""Who serves the months of a backtest: the version of each or, where versions are tried, whom the policy promotes."""

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
from storage.promotion_store import ModelEvent


@dataclass
class PastServing:
    """Months are asked about in their order; where versions are tried, the first of them begins with its own.

    Nobody can be asked in a backtest: with policy "manual" the newest serves. Nor does an alarm ever ring
    in one: no version of it is made early.
    """

    services: Services
    shelf: Shelf
    events: list[ModelEvent] = field(default_factory=list)
    """What happened to versions, where they are tried."""
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
        if not self.services.settings.promotion.tries:
            return self._version(month)
        if month not in self._champions:
            self._champions[month] = self._champion(month)
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

    def _champion(self, month: str) -> Model:
        """After the trial of the month before, and with the month's own version received."""
        panel = self.shelf.factory().panel
        session = panel.sessions[int(panel.sessions.searchsorted(pd.Timestamp(month)))]
        services = self.services
        policy = Policy(services.settings, services.recipe().digest(), panel, services.clock.now())
        challenger = self._versions.get(services.settings.ensemble.serving(months_before(month, 1)[0]))
        if challenger is not None and challenger.model_id in self._standing.on_trial:
            champion = self._named(self._standing.champion)
            # Copies, so that their members go once they were asked.
            span = pd.Timestamp(challenger.month), session
            self._happens(*policy.tried(replace(challenger), replace(champion), span, decides=True))
        self._happens(*policy.received(replace(self._version(month)), self._standing, session))
        return self._named(self._standing.champion)

    def _happens(self, *events: ModelEvent) -> None:
        for event in events:
            self.events.append(event)
            self._standing = self._standing.after(event)

    def _named(self, model_id: str | None) -> Model:
        return next(one for one in self._versions.values() if one.model_id == model_id)
