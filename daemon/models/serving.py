"""Who serves a session at the live desk: the champion, unless it is damaged; and whom it is scored beside.

What happens to a version is an event, written in a transaction of its own before the session is decided, so a kill at
any point leaves a champion that is whole, and the next attempt goes on from there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pandas as pd
from loguru import logger

from daemon.models.early import Early, early_due, early_of, first_session
from daemon.models.promotion import Policy
from daemon.models.shelf import Shelf
from daemon.models.standing import Standing, is_refused, standing_at
from daemon.notify.channels import announce
from daemon.notify.notices import refused_notice
from daemon.services import Services
from daemon.training.trainer import OutOfTime, TrainingFailed, no_hurry
from ensemble.model import Model
from ensemble.windows import WindowError, month_of
from storage.engine import reading, transaction
from storage.model_index import ModelEntry, find_model
from storage.model_store import ModelStoreError
from storage.promotion_store import ModelEvent, ModelEventKind, add_model_events, read_model_events
from storage.tables import LIVE


@dataclass(frozen=True)
class Serving:
    """Of one desk. `before_open` says when a training has to end where another model can serve."""

    services: Services
    shelf: Shelf
    before_open: Callable[[], OutOfTime]
    _speakers: dict[pd.Timestamp, Model] = field(default_factory=dict)
    _missing: dict[str, str] = field(default_factory=dict)
    """Month -> why its version is not there: this desk does not try again."""

    def prepare(self, session: pd.Timestamp, *, repairs: bool) -> str:
        """Makes and promotes what `session` needs, which may take long; a line where another model stands in.

        A damaged champion is refused, and the version before it serves, or that of the month, tried or held as it may
        be; only where there is none, or with `repairs`, it is made again at once. Raises TrainingFailed when a version
        is missing and none can stand in, ModelStoreError where it cannot be kept, WindowError where bars are too few.
        """
        month = self.services.settings.ensemble.serving(month_of(session))
        standing, champion = self._whole_champion(session)
        if not standing.pinned and self._received(month, session, standing, champion, repairs=repairs):
            standing, champion = self._whole_champion(session)
        note = f"still serves, because {self._missing[month]}" if month in self._missing else ""
        champion = champion or self.shelf.earlier(month)
        if champion is None:
            champion, note = self.shelf.found(month), "serves unpromoted, because no version before it is whole"
        if champion is None:
            raise TrainingFailed(f"no version can serve {month}; see the log for what is wrong with them.")
        self._speakers[session] = champion
        return f"model {champion.model_id} {note}" if note else ""

    def speaker(self, session: pd.Timestamp) -> Model:
        """The model that serves `session`. Raises as `prepare`, which is done first where it was not."""
        if session not in self._speakers:
            self.prepare(session, repairs=False)
        return self._speakers[session]

    def rival(self, session: pd.Timestamp) -> Model | None:
        """Whose forecasts are kept beside the champion's: the new version, or the one that served before it."""
        entry = self.shelf.entry(self.services.settings.ensemble.serving(month_of(session)))
        standing = self._standing(session)
        rival = _rival(standing, None if entry is None else entry.model_id)
        if rival is None or rival in standing.refused or rival == self.speaker(session).model_id:
            return None
        return self.shelf.read(rival)

    def _received(
        self, month: str, session: pd.Timestamp, standing: Standing, champion: Model | None, *, repairs: bool
    ) -> bool:
        """Whether the version of `month`, made where it is missing, is new: then it gets its place."""
        entry = self.shelf.entry(month)
        refused = entry is not None and entry.model_id in standing.refused
        early = None if entry is None else early_of(entry.manifest)
        if entry is not None and entry.model_id in standing.considered:
            entry, early = None, _early_due(self.services, session)
            if early is None:
                return False
        if refused and champion is not None and not repairs:
            self._missing[month] = f"that of {month} is damaged; it is made again after the close"
            return False
        new = None if entry is None or refused else self.shelf.read(entry.model_id)
        new = new or self._made(month, champion, early)
        if new is None:
            return False
        self._place(new, session, standing)
        return True

    def _place(self, new: Model, session: pd.Timestamp, standing: Standing) -> None:
        """The version before it is judged, and the policy says what becomes of the new one."""
        entry, policy = self.shelf.named(new.model_id), self._policy()
        events = self._last_trial(policy, session, standing, self.shelf.before(entry))
        for event in events:
            standing = standing.after(event)
        early = early_of(entry.manifest)
        received = policy.received(new, standing, session, why=early.why() if early else "")
        self._record([*events, *received])

    def _last_trial(
        self, policy: Policy, session: pd.Timestamp, standing: Standing, entry: ModelEntry | None
    ) -> list[ModelEvent]:
        """What comes of the trial of that version; nothing where there was none, or it is judged already."""
        if entry is None or entry.model_id in standing.judged | standing.refused:
            return []
        champion = standing.champion if entry.model_id != standing.champion else standing.predecessor
        challenger, other = (None if one is None else self.shelf.read(one) for one in (entry.model_id, champion))
        if challenger is None or other is None:
            return []
        span = first_session(entry.manifest), session
        return policy.tried(challenger, other, span, decides=entry.model_id in standing.on_trial)

    def _made(self, month: str, champion: Model | None, early: Early | None) -> Model | None:
        """None when it can't be, for this desk, and another model stands in."""
        if month in self._missing:
            return None
        stands_in = champion or self.shelf.earlier(month)
        try:
            return self.shelf.made(month, no_hurry if stands_in is None else self.before_open(), early=early)
        except (TrainingFailed, ModelStoreError, WindowError) as error:  # the folder may be full, the bars too few
            if stands_in is None:
                raise
            self._missing[month] = str(error)
            line = f"model {stands_in.model_id} still serves, because {error}"
            logger.warning("{}: {} It is tried again with the next session.", month, line)
            return None

    def _whole_champion(self, session: pd.Timestamp) -> tuple[Standing, Model | None]:
        """The standing and its champion, read; one that is damaged is refused, which is told once."""
        while True:
            standing = self._standing(session)
            if standing.champion is None:
                return standing, None
            try:
                return standing, self.shelf.read_whole(standing.champion)
            except ModelStoreError as error:
                self._refuse(session, standing, str(error))

    def _refuse(self, session: pd.Timestamp, standing: Standing, why: str) -> None:
        damaged, now = standing.champion or "", self.services.clock.now()
        logger.error("model {} is refused: {}", damaged, why)
        event = ModelEvent(now, session.date(), ModelEventKind.REFUSED, damaged, standing.predecessor, note=why)
        with transaction(self.services.engine) as conn:
            add_model_events(conn, LIVE, [event])
            announce(conn, self.services.settings, refused_notice(event), at=now)

    def _record(self, events: Sequence[ModelEvent]) -> None:
        if not events:
            return
        with transaction(self.services.engine) as conn:
            add_model_events(conn, LIVE, events)
        for event in events:
            logger.info("model {} {}: {}", event.model_id, event.kind, event.note)

    def _standing(self, session: pd.Timestamp) -> Standing:
        with reading(self.services.engine) as conn:
            events = read_model_events(conn, LIVE)
        return standing_at(events, session.date(), recipe=self.services.recipe().digest())

    def _policy(self) -> Policy:
        services, panel = self.services, self.shelf.factory().panel
        return Policy(services.settings, services.recipe().digest(), panel, services.clock.now(), services.judge)


def is_published(services: Services, session: pd.Timestamp) -> bool:
    """The version of the session's month is there, not known to be damaged, and no other one is to be made early."""
    recipe, month = services.recipe().digest(), services.settings.ensemble.serving(month_of(session))
    with reading(services.engine) as conn:
        entry = find_model(conn, month=month, recipe=recipe)
        if entry is None or is_refused(read_model_events(conn, LIVE), entry.model_id):
            return False
    return _early_due(services, session) is None


def _early_due(services: Services, session: pd.Timestamp) -> Early | None:
    with reading(services.engine) as conn:
        return early_due(conn, services.settings, session, recipe=services.recipe().digest())


def _rival(standing: Standing, newest: str | None) -> str | None:
    """The newest version where another serves, else the one that served before it."""
    return newest if newest is not None and newest != standing.champion else standing.predecessor
