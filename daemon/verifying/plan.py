"""Which past runs one desk can replay: those of one configuration and model that knew the same of their bars."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar

import pandas as pd

from daemon.config.settings import Settings
from daemon.services import context_symbols
from daemon.sessions.desk import home_calendar
from ensemble.sessions import SessionCalendar, available_at
from storage.run_store import Run

Known = TypeVar("Known")
Sighting = tuple[datetime, str, date]
"""When bars of a symbol came in, the symbol, and the oldest session among them."""


@dataclass(frozen=True, slots=True)
class Step:
    """A run that is done, and what it is replayed with."""

    run: Run
    """It says what it was done by."""
    model_id: str | None = None
    """None for a settlement, and where nothing was forecast."""
    decided_at: datetime | None = None
    """None for a settlement."""

    @property
    def configuration(self) -> str:
        """Digest of the one in force then."""
        return _known(self.run.configuration)

    @property
    def known_at(self) -> datetime:
        """Until when it knew the bars."""
        return _known(self.run.bars_known_at)

    @property
    def events_known(self) -> int:
        """How many events of the account it knew."""
        return _known(self.run.events_known)

    @property
    def instant(self) -> datetime:
        """When it was decided."""
        return _known(self.decided_at)

    @property
    def session(self) -> pd.Timestamp:
        """The session that it was for."""
        return pd.Timestamp(self.run.session)


@dataclass(frozen=True, slots=True)
class Batch:
    """Steps that one desk can replay, in order."""

    steps: tuple[Step, ...]

    @property
    def known_at(self) -> datetime:
        """When the newest step knew its bars; what came since the older ones did is nothing they would have used."""
        return self.steps[-1].known_at

    @property
    def late_known_at(self) -> datetime | None:
        """Of a session that was settled again, which is a batch by itself: until when it knew late bars."""
        return self.steps[-1].run.late_known_at

    @property
    def model_id(self) -> str | None:
        """The model that spoke."""
        return next((step.model_id for step in self.steps if step.model_id), None)


class Needs:
    """Which bars a run of one configuration looks at: those known at the instant that it is due."""

    def __init__(self, settings: Settings, now: datetime) -> None:
        """Of the sessions until a month from `now`."""
        self.calendar: SessionCalendar = home_calendar(settings, now)
        market, self._delay_min, self._corrections = (
            settings.market,
            settings.feed.delay_min,
            settings.calendar.corrections,
        )
        at_home = dict.fromkeys((*market.symbols, *market.peers), market.exchange)
        self._exchanges = at_home | context_symbols(market.context)
        self._due = {
            "decide": self.calendar.decisions(settings.schedule.decision_time),
            "settle": self._known(self.calendar.sessions, market.exchange),
        }

    def due_at(self, step: Step) -> pd.Timestamp:
        """When the step falls due: it looks at no bar that is known later."""
        return self._due[step.run.kind][self.calendar.position(step.session)]

    def oldest_known(self, sightings: Sequence[Sighting]) -> pd.Timestamp | None:
        """From when on the oldest bar that came in is known; None when none did that is looked at."""
        seen = [(symbol, session) for _, symbol, session in sightings if symbol in self._exchanges]
        return min(
            (self._known(pd.DatetimeIndex([session]), self._exchanges[symbol])[0] for symbol, session in seen),
            default=None,
        )

    def _known(self, sessions: pd.DatetimeIndex, exchange: str) -> pd.DatetimeIndex:
        own = self._corrections.get(exchange, ())
        return available_at(sessions, exchange, delay_min=self._delay_min, own=own)


def _known(value: Known | None) -> Known:
    if value is None:
        raise ValueError("the run does not say what it was done by; it can be no step.")
    return value


def batches(steps: Sequence[Step], sightings: Sequence[Sighting], needs: Mapping[str, Needs]) -> Iterator[Batch]:
    """The steps, in their order, in as few batches as give each the bars that it knew."""
    batch: list[Step] = []
    came = iter(sightings)
    following = next(came, None)
    for step in steps:
        between: list[Sighting] = []
        while following is not None and following[0] <= step.known_at:
            between.append(following)
            following = next(came, None)
        if batch and not _joins(step, batch, between, needs):
            yield Batch(tuple(batch))
            batch = []
        batch.append(step)
    if batch:
        yield Batch(tuple(batch))


def _joins(step: Step, batch: Sequence[Step], came: Sequence[Sighting], needs: Mapping[str, Needs]) -> bool:
    """Nothing that came in since the batch's newest step would have been looked at by any of its steps."""
    spoken = {one.model_id for one in (*batch, step) if one.model_id}
    if step.configuration != batch[-1].configuration or len(spoken) > 1:
        return False
    if step.run.late_known_at or batch[-1].run.late_known_at:
        return False
    need = needs[step.configuration]
    oldest = need.oldest_known(came)
    return oldest is None or oldest > max(map(need.due_at, batch))
