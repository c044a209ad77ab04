"""SIGHUP: the configuration is read again while the daemon runs, or the old one stays and a line says why."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from loguru import logger

from daemon.config.settings import Settings
from daemon.errors import ConfigError
from daemon.services import Services
from daemon.sessions.broker import open_broker
from ensemble.options import Options
from storage.feeds import FeedError, open_check_feed, open_feed

ReadSettings = Callable[[], Settings]
"""Reads the configuration; raises ConfigError."""
OPENED_ONCE = ("storage.", "log.", "metrics.port")
"""Keys of what is opened at the start and stays open."""


def reloaded(services: Services, read: ReadSettings) -> Services:
    """The services by the configuration as it is now; the same ones, and a line in the log, where that cannot be."""
    try:
        settings = read()
        changed = list(changed_keys(services.settings, settings))
        fixed = [key for key in changed if key.startswith(OPENED_ONCE)]
        if fixed:
            raise ConfigError(f"{', '.join(fixed)} can only change with a restart.")
        feed, check_feed = open_feed(settings.feed), open_check_feed(settings.feed)
        broker = open_broker(settings.broker)
    except (ConfigError, FeedError) as error:
        logger.error("configuration not reloaded, the old one stays in force: {}", error)
        return services
    logger.info("configuration reloaded: {}", f"changed {', '.join(changed)}" if changed else "nothing has changed")
    return replace(services, settings=settings, feed=feed, check_feed=check_feed, broker=broker)


def changed_keys(old: Options, new: Options, table: str = "") -> Iterator[str]:
    """The keys whose values differ, such as "risk.stop_loss_pct"; no value, for it may be a secret."""
    values: dict[str, Any] = dict(new)
    for name, value in old:
        if isinstance(value, Options) and type(value) is type(values[name]):
            yield from changed_keys(value, values[name], f"{table}{name}.")
        elif value != values[name]:
            yield f"{table}{name}"
