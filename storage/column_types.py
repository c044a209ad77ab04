"""How Python values are kept as text and numbers that any SQL shell can read and any database can hold."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache

from sqlalchemy import Dialect, Integer, Text
from sqlalchemy.types import TypeDecorator

JsonValue = Mapping[str, object] | Sequence[object]


@lru_cache(maxsize=4096)  # thousands of rows share one instant, and isoformat is slow
def instant_text(moment: datetime) -> str:
    """The UTC instant as ISO text to the second, "2021-10-01T03:15:00Z". Raises ValueError for a naive time.

    Always whole seconds: only texts of one length sort as the instants do.
    """
    if moment.tzinfo is None:
        raise ValueError(f"the instant was {moment}; it must carry a time zone, e.g. UTC.")
    return moment.astimezone(UTC).isoformat()[:19] + "Z"


@lru_cache(maxsize=4096)  # a session has hundreds of rows
def session_text(session: date) -> str:
    """The session as an ISO date. A Timestamp is a date too, and its own isoformat would add the hour."""
    return (session.date() if isinstance(session, datetime) else session).isoformat()


class Session(TypeDecorator[date]):
    """A trading day, kept as an ISO date of the exchange."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: date | None, dialect: Dialect) -> str | None:
        return None if value is None else session_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> date | None:
        return None if value is None else date.fromisoformat(value)


class Instant(TypeDecorator[datetime]):
    """A moment, kept as UTC ISO text to the second."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        return None if value is None else instant_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        return None if value is None else datetime.fromisoformat(value)


class Flag(TypeDecorator[bool]):
    """Yes or no, kept as 1 or 0: `WHERE late = 1` then means the same in every database."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: bool | None, dialect: Dialect) -> int | None:
        return None if value is None else int(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> bool | None:
        return None if value is None else bool(value)


class Json(TypeDecorator[JsonValue]):
    """A list or an object, kept as JSON text with sorted keys, so that equal values are equal texts."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: JsonValue | None, dialect: Dialect) -> str | None:
        return None if value is None else json.dumps(value, sort_keys=True, allow_nan=False)

    def process_result_value(self, value: str | None, dialect: Dialect) -> JsonValue | None:
        return None if value is None else json.loads(value)
