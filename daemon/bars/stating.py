"""What a person says that a company did, because no feed tells of it: a bonus, rights, a demerger."""

from datetime import date, datetime

from sqlalchemy import Engine

from daemon.config.settings import Settings
from daemon.errors import DaemonError
from daemon.services import require_listed
from storage.action_store import BY_HAND, STATED, Action, state_action, take_back
from storage.engine import transaction
from storage.sightings import next_sighting

MOST_SHARES = 1000.0
TAKEN_BACK = "none"


def state(engine: Engine, settings: Settings, *, told: tuple[str, date, str, str], now: datetime) -> bool:
    """Keeps what is `told`: symbol, ex-date, kind and value, of which "none" takes back what was stated before.

    False where that changes nothing. Raises DaemonError.
    """
    symbol, session, kind, text = told
    require_listed(settings.market, [symbol])
    if kind not in STATED:
        raise DaemonError(f'kind was "{kind}"; it must be one of {", ".join(STATED)}: feeds tell the others.')
    value = None if text == TAKEN_BACK else read_value(kind, text)
    with transaction(engine) as conn:
        seen_at = next_sighting(conn, now)
        if value is None:
            return take_back(conn, symbol, session, kind, now=seen_at)
        return state_action(conn, Action(symbol, session, kind, value, BY_HAND, seen_at))


def read_value(kind: str, text: str) -> float:
    """The number, or the fraction "A/B" of two. Raises DaemonError when it is none, or none of this kind."""
    above, _, below = text.partition("/")
    try:
        value = float(above) / float(below or "1")
    except (ValueError, ZeroDivisionError):
        raise DaemonError(f'value was "{text}"; write a number, two as 261.85/2841.85, or {TAKEN_BACK}.') from None
    if kind == "bonus" and not 1 < value <= MOST_SHARES:
        raise DaemonError(f"value was {text}; a bonus gives shares for each one before: 2/1 after one for one.")
    if kind != "bonus" and not 0 < value < 1:
        raise DaemonError(f"value was {text}; {kind} take a part of the close before, above 0 and below 1.")
    return value
