"""What of the configuration decides and settles: kept with each run, and in force again when it is replayed."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from daemon.config.settings import Settings
from daemon.errors import ConfigError
from ensemble.corrections import Correction
from ensemble.options import Options

DECIDES: Mapping[str, Any] = {
    **dict.fromkeys(("market", "labels", "ensemble", "drift", "signals", "risk", "costs"), True),
    "feed": {"delay_min"},
    "schedule": {"decision_time"},
}
"""Table -> all of it, or its keys. Where things lie, and so every secret, decides nothing."""
DECIDES_NOTHING = frozenset(
    {"bars", "calendar", "promotion", "workers", "broker", "evaluation", "audit", "sweep"}
    | {"storage", "cloud", "log", "notify", "health", "metrics", "report"}
)
"""Tables of no use to a replay: its bars are sifted, its models trained, its results judged elsewhere. Of the calendar
it is the rows that decide, and not where they lie."""


Corrections = dict[str, tuple[Correction, ...]]
"""Exchange -> its own rows."""


def deciding(settings: Settings) -> str:
    """All of `settings` that a forecast, a signal or a fill depends on, as JSON text; its order counts.

    Rows of one's own calendar are kept as they are: the folder may say something else by the time of a replay.
    """
    tables = settings.model_dump(mode="json", include=dict(DECIDES))
    own = TypeAdapter(Corrections).dump_python(dict(settings.calendar.corrections), mode="json")
    return json.dumps(tables | ({"calendar": own} if own else {}))


def restored(kept: str, settings: Settings) -> Settings:
    """`settings` with all that decides as it was kept. Raises ConfigError when this version does not know a key."""
    tables = json.loads(kept)
    own = tables.pop("calendar", {})
    try:
        then, corrections = Settings.model_validate(tables), TypeAdapter(Corrections).validate_python(own)
    except ValidationError as error:
        ((*place, _),) = [(*one["loc"], one["msg"]) for one in error.errors()[:1]]
        raise ConfigError(f"its configuration has {'.'.join(map(str, place))} as this version does not.") from None
    tables = {name: _taken(getattr(settings, name), getattr(then, name), keys) for name, keys in DECIDES.items()}
    return settings.model_copy(update=tables | {"calendar": settings.calendar.having(corrections)})


def _taken(now: Options, then: Options, keys: Any) -> Options:
    return then if keys is True else now.model_copy(update={key: getattr(then, key) for key in keys})
