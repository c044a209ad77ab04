"""What every job works with: settings, clock, database, models, feed. Passed in, so that a test can pass in others."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import Engine

from daemon.clock import Clock
from daemon.config.settings import MarketOptions, Settings
from daemon.console.progress import Progress
from daemon.database.nightly_backup import NightlyBackup
from daemon.errors import DaemonError
from daemon.health.metrics_page import MetricsPage
from daemon.mirror.mirroring import Mirror
from daemon.models.factory import Recipe
from daemon.models.judging import Judge, judge_here
from daemon.notify.courier import Courier
from daemon.report.refresh import Refresher
from daemon.sessions.broker import Broker, PaperBroker
from daemon.training.combining import Fit, fit_here
from daemon.versions import code_version, training_version
from storage.account_store import AccountBook
from storage.feeds import Feed
from storage.model_store import ModelStore


def _nobody_watches() -> None:
    """A command that somebody waits for at a terminal."""


@dataclass(frozen=True, slots=True)
class Services:
    """The effects a job may have."""

    settings: Settings
    clock: Clock
    engine: Engine
    models: ModelStore
    feed: Feed
    progress: Progress
    book: AccountBook = field(default_factory=AccountBook)
    broker: Broker = field(default_factory=PaperBroker)
    nightly_backup: NightlyBackup = field(default_factory=NightlyBackup)
    check_feed: Feed | None = None
    """Another provider, whose closes are compared with the stored ones."""
    alive: Callable[[], None] = _nobody_watches
    """Called whenever a step of long work is done, so that whoever watches knows that it does not hang."""
    fit: Fit = fit_here
    """Who fits the combiner of a month."""
    judge: Judge = judge_here
    """Who scores the trial of a version."""
    page: MetricsPage = field(default_factory=MetricsPage)
    courier: Courier = field(default_factory=Courier)
    mirror: Mirror = field(default_factory=Mirror)
    passed_over: set[date] = field(default_factory=set)
    """Sessions that came into the calendar too late, of which the log has told."""
    report: Refresher | None = None
    """Who keeps the report up to date; None where nobody does."""

    def recipe(self) -> Recipe:
        """What a model made now would be made by."""
        return recipe_of(self.settings)


def recipe_of(settings: Settings) -> Recipe:
    """What a model made by these settings and the present code would be made by."""
    when = f"decided {settings.schedule.decision_time}, bars final after {settings.feed.delay_min} min"
    market = settings.market.model_copy(update={"demergers": None})  # of a model's inputs the bars tell
    inputs = f"{market.model_dump_json()} {when}"
    return Recipe(settings.ensemble, settings.labels.barrier.limits, inputs, code_version(), training_version())


def require_listed(market: MarketOptions, symbols: Iterable[str]) -> None:
    """Raises DaemonError for a symbol that is not configured."""
    for symbol in symbols:
        if symbol not in market.every_symbol:
            raise DaemonError(f"{symbol} stands nowhere in [market]; add it to symbols, peers or context first.")


def context_symbols(context: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Symbol -> its exchange, in the order of the configuration."""
    return {symbol: exchange for exchange, symbols in context.items() for symbol in symbols}
