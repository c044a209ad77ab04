"""Which demergers are known: those of the program, or a file of one's own in their place, and what people stated."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime

from sqlalchemy import Connection

from daemon.config.settings import Settings
from daemon.errors import DaemonError
from ensemble.trading.continuity import Steps
from ensemble.trading.demerger_table import Demerger, parse_demergers, shipped_demergers
from storage.action_store import STATED, Action, read_actions

LISTED = "listed"
"""What stands for the provider of those in the table."""
NEVER_SEEN = datetime.min.replace(tzinfo=UTC)


def known_demergers(settings: Settings, actions: Iterable[Action] = ()) -> tuple[Demerger, ...]:
    """Of the traded exchange, and what of `actions` a person stated: a bonus or right counts as if it had been sold.

    What was stated goes before the table. Raises DaemonError when market.demergers can't be read.
    """
    known = {(one.symbol, one.session): one for one in _of_table(settings)}
    for action in actions:
        if action.left < 1:
            known[action.symbol, action.session] = Demerger(action.symbol, action.session, 1 - action.left)
    return tuple(known.values())


def read_demergers(conn: Connection, settings: Settings, *, known_at: datetime | None = None) -> tuple[Demerger, ...]:
    """Those listed, and what people had stated by then, of every symbol. Raises as `known_demergers`."""
    return known_demergers(settings, read_actions(conn, known_at=known_at, kinds=STATED))


def price_steps(demergers: Iterable[Demerger]) -> Steps:
    """By symbol and session, what is left of a price after what its feed adjusts nothing for."""
    steps: dict[str, dict[date, float]] = {}
    for one in demergers:
        steps.setdefault(one.symbol, {})[one.session] = 1 - one.share
    return steps


def with_listed(settings: Settings, actions: Sequence[Action]) -> list[Action]:
    """`actions`, and the demergers of the table of which nobody stated anything, by symbol and session.

    Raises DaemonError when market.demergers can't be read.
    """
    stated = {(one.symbol, one.session) for one in actions if one.left < 1}
    listed = [
        Action(one.symbol, one.session, "demerger", one.share, LISTED, NEVER_SEEN)
        for one in _of_table(settings)
        if (one.symbol, one.session) not in stated
    ]
    return sorted([*actions, *listed], key=lambda one: (one.symbol, one.session, one.kind))


def _of_table(settings: Settings) -> tuple[Demerger, ...]:
    path = settings.market.demergers
    if path is None:
        return shipped_demergers(settings.market.exchange)
    try:
        return parse_demergers(path.read_text(encoding="utf-8").splitlines())
    except OSError as error:
        raise DaemonError(f"market.demergers {path} cannot be read: {error.strerror}; name another file.") from error
    except ValueError as error:
        raise DaemonError(f"market.demergers {path}: {error}.") from error
