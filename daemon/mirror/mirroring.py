"""Keeps the bucket up to date, beside the work: no bucket, however slow or dead, delays or fails a session.

What is new here is ordered in the database, so that it is known after a restart; a thread has a process carry it out.
"""

import os
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from loguru import logger
from sqlalchemy import Engine

from daemon.config.settings import Settings
from daemon.mirror.process import Answer, Carrier, PushProcess, push_order
from daemon.models.standing import last_champion
from storage.backups import backups_in
from storage.cloud.bucket import Bucket
from storage.cloud.push import Local
from storage.engine import database_file, reading, transaction
from storage.mirror_spool import due_order, mark_pushed, order_push, ordered_last, put_push_off
from storage.model_index import newest_model_id
from storage.model_store import ModelStore
from storage.outbox_store import LONGEST_WAIT, Parcel
from storage.promotion_store import read_model_events
from storage.run_store import first_decision, newest_done
from storage.tables import LIVE

if TYPE_CHECKING:
    from daemon.services import Services

FIRST_WAIT = timedelta(minutes=1)
WAIT_AT_THE_END_S = 5.0


@dataclass
class Mirror:
    """One thread at a time, which ends when nothing is due."""

    carry_out: Carrier = field(default_factory=PushProcess)
    chance: Callable[[], float] = random.random
    """From 0 to 1: not all machines come back to a bucket that was away at the same second."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _thread: threading.Thread | None = None
    _asked: bool = False
    _ending: bool = False

    def go(self, services: "Services") -> None:
        """Sees to it that what is here gets there; returns at once."""
        if services.settings.cloud.bucket is None:
            return
        with self._lock:
            self._asked = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, args=(services,), name="mirror", daemon=True)
                self._thread.start()

    def finish(self, wait_s: float = WAIT_AT_THE_END_S) -> None:
        """Waits a little for what is under way and ends it then; what is left waits for the next start."""
        thread = self._thread
        if thread is None:
            return
        thread.join(wait_s)
        self._ending = True
        self.carry_out.stop()
        thread.join(wait_s)  # the database is closed next

    def _work(self, services: "Services") -> None:
        while self._is_asked():
            try:
                self._push_if_due(services)
            except Exception as error:  # the sessions go on, and the next look tries again
                if not self._ending:
                    logger.error("cloud: {}: {}", type(error).__name__, error)

    def _is_asked(self) -> bool:
        with self._lock:
            asked, self._asked = self._asked and not self._ending, False
            if not asked:
                self._thread = None
            return asked

    def _push_if_due(self, services: "Services") -> None:
        bucket = services.settings.cloud.open_bucket(os.environ)
        local, now = local_state(services.engine, services.settings), services.clock.now()
        key = key_of(local)
        if bucket is None or not key:
            return
        with reading(services.engine) as conn:
            is_new = ordered_last(conn) != key
        if is_new:
            with transaction(services.engine) as conn:
                order_push(conn, key, at=now)
        with reading(services.engine) as conn:
            order = due_order(conn, now=now)
        if order is not None:
            kept = services.settings.cloud.backups_kept
            answer = self.carry_out(push_order(bucket, local, now=now, keep_backups=kept))
            if not self._ending or not answer.failed:
                self._note(services, order, answer)
                _say(bucket, order, answer)

    def _note(self, services: "Services", order: Parcel, answer: Answer) -> None:
        at = services.clock.now()
        with transaction(services.engine) as conn:
            if answer.failed:
                put_push_off(conn, order, why=answer.failed, until=at + wait_after(order.attempts, self.chance()))
            else:
                mark_pushed(conn, order.notice.key, at=at)


def local_state(engine: Engine, settings: Settings) -> Local:
    """What this machine has to be mirrored. Raises StoreError."""
    backups = backups_in(settings.storage.backups) if database_file(settings.storage.database_url) else []
    with reading(engine) as conn:
        model_id = last_champion(read_model_events(conn, LIVE)) or newest_model_id(conn)
        account = first_decision(conn, LIVE)
        settled = newest_done(conn, LIVE, "settle")
    backup = backups[0] if backups else None
    models = ModelStore(settings.storage.models_dir, read_only=True)
    return Local(models, model_id, backup, account, backup.session if backup else settled)


def key_of(local: Local) -> str:
    """What an order to bring that into the bucket is named; empty where there is nothing to bring."""
    parts = [local.model_id, local.backup.path.name if local.backup else None]
    return " ".join(part for part in parts if part)


def wait_after(attempts: int, chance: float) -> timedelta:
    """Twice as long after each attempt in vain, of which a half is left to chance."""
    doublings = 1 << min(attempts, 20)
    return min(doublings * FIRST_WAIT, LONGEST_WAIT) * (0.5 + chance / 2)


def _say(bucket: Bucket, order: Parcel, answer: Answer) -> None:
    """Once an outage, not at each attempt."""
    pushed = answer.pushed
    if answer.failed:
        if order.attempts == 0:
            logger.warning("cloud: not mirrored, and tried again: {}", answer.failed)
        return
    if pushed.left_out:
        logger.warning("cloud: damaged and not mirrored: {}; `cache verify` says more", ", ".join(pushed.left_out))
    tries = f", after {order.attempts + 1} attempts" if order.attempts else ""
    logger.info("cloud: {} has {}: {}{}", bucket.url, order.notice.key, pushed.line(), tries)
