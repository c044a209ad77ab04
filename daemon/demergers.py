"""Which demergers are known: those that come with the program, or a file of one's own in their place."""

from daemon.errors import DaemonError
from daemon.settings import Settings
from ensemble.trading.demerger_table import Demerger, parse_demergers, shipped_demergers


def known_demergers(settings: Settings) -> tuple[Demerger, ...]:
    """Of the traded exchange. Raises DaemonError when market.demergers can't be read."""
    path = settings.market.demergers
    if path is None:
        return shipped_demergers(settings.market.exchange)
    try:
        return parse_demergers(path.read_text(encoding="utf-8").splitlines())
    except OSError as error:
        raise DaemonError(f"market.demergers {path} cannot be read: {error.strerror}; name another file.") from error
    except ValueError as error:
        raise DaemonError(f"market.demergers {path}: {error}.") from error
