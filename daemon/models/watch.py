"""With each settlement: do the live forecasts lose more than they said they would, beyond luck?"""

from datetime import date

from loguru import logger
from sqlalchemy import Connection

from daemon.notify.channels import announce
from daemon.notify.notices import live_loss_notice
from daemon.services import Services
from daemon.sessions.halt import halt_within
from ensemble.evaluation.live_loss import watch_losses
from ensemble.evaluation.scored import scored_labels
from storage.outcome_store import read_scored
from storage.tables import LIVE
from storage.watch_store import LiveLoss, read_live_losses, write_live_loss

RECENT_SESSIONS = 60
"""Over which the excess is told."""


def watch_live_loss(conn: Connection, services: Services) -> None:
    """Writes down how the traded label's forecasts do; an alarm is told, and halts where that is asked.

    In the transaction of the settlement whose outcomes it looks at. Where no outcome is new it does nothing.
    """
    found, now = _found(conn, services), services.clock.now()
    if found is None:
        return
    write_live_loss(conn, found)
    if found.alarm:
        logger.warning(
            "live forecasts of {} lose {:.4f} nats a session more than they expect", found.label, found.excess
        )
        if services.settings.drift.policy == "hold":
            note = f"live forecasts lose more than they expect, found {found.session}"
            halt_within(conn, services.settings, now=now, note=note)
        announce(conn, services.settings, live_loss_notice(found), at=now)


def _found(conn: Connection, services: Services) -> LiveLoss | None:
    """None where no outcome is new."""
    label, level = services.settings.signals.label, float(services.settings.drift.false_alarm_sessions)
    rows = read_scored(conn, LIVE, first=date.min, last=date.max, label=label)
    before = next(iter(read_live_losses(conn, label, newest=1)), None)
    scored = scored_labels(rows, services.settings.labels.barrier.limits).get(label)
    if scored is None:
        return None
    watch = watch_losses(scored, alarm_level=level)
    if not watch.places:
        return None
    sessions = [scored.sessions[place].date() for place in watch.places]
    known_until = date.min if before is None else before.session
    if sessions[-1] <= known_until:
        return None
    alarm = any(sessions[place] > known_until for place in watch.alarms)
    excess = float(watch.excess[-RECENT_SESSIONS:].mean())
    now = services.clock.now()
    return LiveLoss(sessions[-1], label, len(sessions), excess, float(watch.level[-1]), level, alarm, now)
