"""Takes what is in the outbox to its channels, beside the work: no channel delays or fails a session.

What is sent twice, because a kill came between the sending and its mark, has the same id twice.
"""

import threading
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from loguru import logger

from daemon.notify.channels import PING, channels
from daemon.notify.messenger import Message, Send, send
from ensemble.counted import counted
from storage.engine import reading, transaction
from storage.outbox_store import LONGEST_WAIT, Parcel, drop, due_parcels, mark_sent, put_off

if TYPE_CHECKING:
    from daemon.services import Services

FIRST_WAIT = timedelta(minutes=1)
GIVEN_UP_AFTER = timedelta(days=7)
LATE_SIGN_OF_LIFE = timedelta(hours=1)
"""A ping that comes later would tell of a life that may have ended since."""
WAIT_AT_THE_END_S = 10.0


@dataclass
class Courier:
    """One thread at a time, which ends when nothing is due."""

    send: Send = send
    _thread: threading.Thread | None = None
    _ending: threading.Event = field(default_factory=threading.Event)

    def go(self, services: "Services", *, gives_up: bool = True) -> None:
        """Sets out unless it is on its way; returns at once.

        Without `gives_up` nothing is dropped for its age, which a clock that is wrong makes up.
        """
        if channels(services.settings) and (self._thread is None or not self._thread.is_alive()):
            how = services, gives_up
            self._thread = threading.Thread(target=self._take_all, args=how, name="courier", daemon=True)
            self._thread.start()

    def finish(self, wait_s: float = WAIT_AT_THE_END_S) -> None:
        """Waits a little for what is on its way; what is left waits in the outbox for the next start."""
        if self._thread is not None:
            self._thread.join(wait_s)
        self._ending.set()

    def _take_all(self, services: "Services", gives_up: bool) -> None:
        try:
            while not self._ending.is_set() and self._take_some(services, gives_up):
                pass
        except Exception as error:  # the sessions go on, and the next look tries again
            if not self._ending.is_set():
                logger.error("outbox: {}: {}", type(error).__name__, error)

    def _take_some(self, services: "Services", gives_up: bool) -> bool:
        """The oldest of each channel; False when nothing was due."""
        now, known = services.clock.now(), channels(services.settings)
        with reading(services.engine) as conn:
            parcels = due_parcels(conn, now=now)
        for parcel in parcels:
            if self._ending.is_set():
                return False
            self._take(services, parcel, known.get(parcel.channel), gives_up=gives_up)
        return bool(parcels)

    def _take(self, services: "Services", parcel: Parcel, url: str | None, *, gives_up: bool) -> None:
        too_old = gives_up and services.clock.now() - parcel.created_at > _patience(parcel)
        if url is None or too_old:
            why = "it is configured no more" if url is None else "it was tried for long enough"
            logger.warning("{} does not get {}: {}", parcel.channel, parcel.notice.key, why)
            with transaction(services.engine) as conn:
                drop(conn, parcel)
            return
        refused = self.send(message_of(parcel, url, timeout_s=services.settings.notify.timeout_s))
        with transaction(services.engine) as conn:
            if refused is None:
                mark_sent(conn, parcel, at=services.clock.now())
            else:
                put_off(conn, parcel, until=services.clock.now() + wait_after(parcel.attempts))
        _say(parcel, refused)


def message_of(parcel: Parcel, url: str, *, timeout_s: float) -> Message:
    """As the messenger takes it; the last line is the id by which a repeat is known."""
    said = parcel.notice
    body = f"{said.body}\nid: {said.key}"
    return {"channel": parcel.channel, "url": url, "title": said.title, "body": body, "timeout_s": timeout_s}


def wait_after(attempts: int) -> timedelta:
    """Twice as long after each attempt in vain."""
    doublings = 1 << min(attempts, 20)
    return min(doublings * FIRST_WAIT, LONGEST_WAIT)


def _patience(parcel: Parcel) -> timedelta:
    return LATE_SIGN_OF_LIFE if parcel.notice.kind == PING else GIVEN_UP_AFTER


def _say(parcel: Parcel, refused: str | None) -> None:
    """Once a parcel, not at each attempt."""
    if refused is not None and parcel.attempts == 0:
        logger.warning("{} did not take {} and is tried again: {}", parcel.channel, parcel.notice.key, refused)
    elif refused is None and parcel.attempts > 0:
        logger.info("{} took {} after {}", parcel.channel, parcel.notice.key, counted(parcel.attempts + 1, "attempt"))
