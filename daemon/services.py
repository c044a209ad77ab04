"""What every job works with: settings, clock, database, models, feed. Passed in, so that a test can pass in others."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version

from sqlalchemy import Engine

from daemon.clock import Clock
from daemon.models import Recipe
from daemon.progress import Progress
from daemon.settings import Settings
from storage.feeds import Feed
from storage.model_store import ModelStore

TRAINING_LIBRARIES = ("reliance-daemon", "numpy", "scikit-learn", "lightgbm", "keras")


@dataclass(frozen=True, slots=True)
class Services:
    """The effects a job may have."""

    settings: Settings
    clock: Clock
    engine: Engine
    models: ModelStore
    feed: Feed
    progress: Progress

    def recipe(self) -> Recipe:
        """What a model made now would be made by."""
        settings = self.settings
        when = f"decided {settings.schedule.decision_time}, bars final after {settings.feed.delay_min} min"
        inputs = f"{settings.market.model_dump_json()} {when}"
        return Recipe(settings.ensemble, settings.risk, inputs, code_version())


@cache  # each takes 15 ms to read from the disk, and a process does not change its libraries
def code_version() -> str:
    """The versions that a trained model depends on, e.g. "reliance-daemon 0.1.0, lightgbm 4.7.0, ..."."""
    return ", ".join(f"{name} {version(name)}" for name in (*TRAINING_LIBRARIES, _tensorflow()))


def _tensorflow() -> str:
    """The name TensorFlow is installed under here."""
    from importlib.metadata import PackageNotFoundError

    for name in ("tensorflow-cpu", "tensorflow"):
        try:
            version(name)
        except PackageNotFoundError:
            continue
        return name
    raise PackageNotFoundError("tensorflow")


def context_symbols(context: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Symbol -> its exchange, in the order of the configuration."""
    return {symbol: exchange for exchange, symbols in context.items() for symbol in symbols}
