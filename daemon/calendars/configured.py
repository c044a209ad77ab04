"""When exchanges are open, as the configuration has it: what comes with the program, and a folder of one's own rows."""

from collections.abc import Mapping, Sequence
from datetime import date, time
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path

import pandas as pd
from pydantic import Field, PrivateAttr

from daemon.errors import ConfigError
from ensemble.corrections import Correction, parse_corrections
from ensemble.options import Options
from ensemble.sessions import (
    EXCHANGES,
    SessionCalendar,
    holidays_known_until,
    load_calendar,
    trading_hours,
    wall_minutes,
)


class CalendarOptions(Options):
    """The [calendar] table: what is known of sessions besides what comes with the program."""

    overrides: Path | None = Field(
        default=None, description="folder with one EXCHANGE.csv an exchange, rows that go before those that come along"
    )
    _corrections: dict[str, tuple[Correction, ...]] = PrivateAttr(default_factory=dict)

    @property
    def corrections(self) -> Mapping[str, tuple[Correction, ...]]:
        """Exchange -> its own rows, as read when the configuration was."""
        return self._corrections

    def having(self, corrections: Mapping[str, tuple[Correction, ...]]) -> "CalendarOptions":
        """The same with these rows in force."""
        options = self.model_copy()
        options._corrections = dict(corrections)
        return options

    def load(self, exchange: str, *, first: date, last: date) -> SessionCalendar:
        """The sessions of `exchange` from `first` to `last`, both included."""
        return _loaded(exchange, first, last, self.corrections.get(exchange, ()))

    def known_until(self, exchange: str) -> date | None:
        """The last day whose holidays are known; later sessions are provisional. None where rules go on for ever."""
        return holidays_known_until(exchange, self.corrections.get(exchange, ()))

    def is_provisional(self, exchange: str, session: date) -> bool:
        """A Monday to Friday past all that is known: whether it is a session only its bars will tell."""
        end = self.known_until(exchange)
        return end is not None and session > end


@lru_cache(maxsize=8)
def _loaded(exchange: str, first: date, last: date, own: tuple[Correction, ...]) -> SessionCalendar:
    """Each look at what is due asks for it several times, and it is the same all day."""
    return load_calendar(exchange, first=first, last=last, own=own)


def read_overrides_of(options: CalendarOptions, *, home: str, decision_time: time) -> CalendarOptions:
    """The options with the rows of their folder. Raises ConfigError, one line, at the first row that cannot be."""
    if options.overrides is None:
        return options
    if not options.overrides.is_dir():
        raise ConfigError(f"calendar.overrides was {options.overrides}, which is no folder; make it, or name another.")
    files = {path: _exchange_of(path) for path in sorted(options.overrides.glob("*.csv"))}
    corrections = {exchange: _rows(path, exchange) for path, exchange in files.items()}
    for path, exchange in files.items():
        _check_hours(corrections[exchange], exchange, path, decision_time if exchange == home else None)
    return options.having(corrections)


def _exchange_of(path: Path) -> str:
    if path.stem in EXCHANGES:
        return path.stem
    near = get_close_matches(path.stem.upper(), EXCHANGES, n=1)
    hint = f'did you mean "{near[0]}.csv"?' if near else f"its name must be one of {', '.join(EXCHANGES)}."
    raise ConfigError(f"calendar.overrides: {path} is of no known exchange; {hint}")


def _rows(path: Path, exchange: str) -> tuple[Correction, ...]:
    try:
        return parse_corrections(path.read_text(encoding="utf-8-sig").splitlines())
    except OSError as error:
        raise ConfigError(f"calendar.overrides: {path} cannot be read: {error.strerror}; mend or move it.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"calendar.overrides: {path} is no UTF-8 text; save it as UTF-8.") from None
    except ValueError as error:
        raise ConfigError(f"calendar.overrides: {path}, {error}.") from None


def _check_hours(rows: Sequence[Correction], exchange: str, path: Path, decision_time: time | None) -> None:
    """Every session that a row names opens before it closes, and at home after it is decided."""
    days = [row.date for row in rows if row.kind in ("extra", "hours")]
    opens, closes = wall_minutes(pd.DatetimeIndex(days), exchange, tuple(rows))
    overnight = trading_hours(exchange).opens >= trading_hours(exchange).closes
    for day, opened, closed in zip(days, opens.tolist(), closes.tolist(), strict=True):
        if opened >= closed or (opened < 0 and not overnight):
            raise ConfigError(
                f"calendar.overrides: {path}, {day}: it would open at {_clock(opened)} and close at {_clock(closed)}; "
                "give opens and closes so that it opens first."
            )
        if decision_time is not None and opened <= decision_time.hour * 60 + decision_time.minute:
            raise ConfigError(
                f"calendar.overrides: {path}, {day}: it would open at {_clock(opened)}, and is decided at "
                f"{decision_time:%H:%M}; set schedule.decision_time before it."
            )


def _clock(minutes: int) -> str:
    return f"{minutes // 60 % 24:02d}:{minutes % 60:02d}"
