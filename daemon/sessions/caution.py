"""For some sessions after an alarm of the live losses: more is asked of a forecast, or less is risked.

It goes by rows that are written once, before the session is decided, so that `verify` finds the same.
"""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection

from daemon.config.settings import Settings
from ensemble.trading.limits import RiskLimits
from ensemble.trading.signals import SignalOptions
from storage.watch_store import LiveLoss, read_live_losses

CAREFUL_SESSIONS = 20
"""Sessions after an alarm, each with a row of its own; also how long `status` tells of it."""


@dataclass(frozen=True, slots=True)
class Caution:
    """How a session is decided."""

    options: SignalOptions
    limits: RiskLimits
    line: str = ""
    """What is done, and why; empty where all is as configured."""


def caution_for(conn: Connection, settings: Settings, session: date, *, decided_at: datetime) -> Caution:
    """By what was known of live losses when `session` was decided."""
    rows = read_live_losses(conn, settings.signals.label, newest=CAREFUL_SESSIONS, before=session, known_at=decided_at)
    alarm = next((row for row in rows if row.alarm), None)
    if alarm is None or settings.drift.policy not in ("raise", "halve"):
        return Caution(settings.signals, settings.risk)
    return _careful(settings, alarm)


def _careful(settings: Settings, alarm: LiveLoss) -> Caution:
    options, limits = settings.signals, settings.risk
    if settings.drift.policy == "halve":
        halved = limits.model_copy(update={"position_pct": limits.position_pct / 2})
        return Caution(options, halved, f"half the size since the alarm of {alarm.session}")
    asked = {
        "min_confidence": (1 + options.min_confidence) / 2,
        "coverage_pct": options.coverage_pct / 2,
        "precision_level": (1 + options.precision_level) / 2,
    }
    return Caution(
        options.model_copy(update=asked), limits, f"surer forecasts asked since the alarm of {alarm.session}"
    )
