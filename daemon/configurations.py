"""What of the configuration decides and settles: kept with each run, and in force again when it is replayed."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from daemon.errors import ConfigError
from daemon.settings import Settings
from ensemble.options import Options

DECIDES: Mapping[str, Any] = {
    **dict.fromkeys(("market", "labels", "ensemble", "signals", "risk", "costs"), True),
    "feed": {"delay_min"},
    "schedule": {"decision_time"},
}
"""Table -> all of it, or its keys. Where things lie, and so every secret, decides nothing."""
DECIDES_NOTHING = frozenset(
    {"bars", "workers", "broker", "evaluation", "audit", "sweep", "storage", "log", "notify", "health", "metrics"}
)
"""Tables of no use to a replay: its bars are sifted, its models trained, its results judged elsewhere."""


def deciding(settings: Settings) -> str:
    """All of `settings` that a forecast, a signal or a fill depends on, as JSON text; its order counts."""
    return json.dumps(settings.model_dump(mode="json", include=dict(DECIDES)))


def restored(kept: str, settings: Settings) -> Settings:
    """`settings` with all that decides as it was kept. Raises ConfigError when this version does not know a key."""
    try:
        then = Settings.model_validate_json(kept)
    except ValidationError as error:
        ((*place, _),) = [(*one["loc"], one["msg"]) for one in error.errors()[:1]]
        raise ConfigError(f"its configuration has {'.'.join(map(str, place))} as this version does not.") from None
    tables = {name: _taken(getattr(settings, name), getattr(then, name), keys) for name, keys in DECIDES.items()}
    return settings.model_copy(update=tables)


def _taken(now: Options, then: Options, keys: Any) -> Options:
    return then if keys is True else now.model_copy(update={key: getattr(then, key) for key in keys})
