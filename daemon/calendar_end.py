"""Until when the holidays of an exchange are known."""

import warnings
from datetime import date
from functools import lru_cache

# A public name for it in `ensemble` would change the models' code, and train every one of them anew.
from ensemble.sessions import _LIBRARY_NAMES


@lru_cache  # a long-lived process asks every minute
def calendar_end(exchange: str) -> date | None:
    """The last day that the library has recorded; None where its rules go on for ever."""
    from exchange_calendars import get_calendar, get_calendar_names

    name = _LIBRARY_NAMES.get(exchange, exchange)
    with warnings.catch_warnings():
        # exchange_calendars 4.13 uses what pandas 3.1 deprecates; nothing here depends on it.
        warnings.simplefilter("ignore", DeprecationWarning)
        end = get_calendar(name).bound_max() if name in get_calendar_names() else None
    return None if end is None else end.date()
