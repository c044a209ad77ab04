"""The whole configuration: which tables there are, where it is read from, and how it is printed."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, time
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, TypeVar

import tomli_w
from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, field_validator, model_validator

from daemon.calendars.configured import CalendarOptions, read_overrides_of
from daemon.config.bounds import check_texts
from daemon.config.complaints import complain
from daemon.config.file import CONFIG_PATHS, read_config
from daemon.config.overrides import Key, read_overrides
from daemon.config.secrets import refuse_open_secrets
from daemon.config.universe import expanded
from daemon.console.log import LogOptions
from daemon.errors import ConfigError
from daemon.health.metrics_options import MetricsOptions
from daemon.health.options import HealthOptions
from daemon.mirror.options import CloudOptions
from daemon.models.drift_options import DriftOptions
from daemon.notify.options import NotifyOptions
from daemon.report.options import ReportOptions
from daemon.sessions.broker import BrokerOptions
from daemon.training.workers import WorkerOptions
from ensemble.evaluation.audit.options import AuditOptions
from ensemble.evaluation.holdout import EvaluationOptions
from ensemble.evaluation.promotion import PromotionOptions
from ensemble.evaluation.search_space import SweepOptions
from ensemble.model import EnsembleOptions
from ensemble.options import Options
from ensemble.sessions import EXCHANGES
from ensemble.trading.barrier import LabelOptions
from ensemble.trading.costs import Costs
from ensemble.trading.limits import RiskLimits
from ensemble.trading.rules import TradingRules
from ensemble.trading.signals import SignalOptions
from ensemble.validation.rules import BarRules
from storage.feeds import FeedOptions


def _known_exchange(code: str) -> str:
    if code in EXCHANGES:
        return code
    near = get_close_matches(code.upper(), EXCHANGES, n=1)
    raise ValueError(f'did you mean "{near[0]}"?' if near else f"it must be one of {', '.join(EXCHANGES)}")


def _well_formed(symbol: str) -> str:
    # A symbol becomes a file's name: it must lead out of no folder.
    if re.fullmatch(r"\^?[A-Za-z0-9][A-Za-z0-9.=&_-]{0,19}", symbol):
        return symbol
    raise ValueError('it must be a symbol of Yahoo, such as "RELIANCE.NS", "^NSEI" or "CL=F"')


def _minutes(wall: time) -> int:
    return wall.hour * 60 + wall.minute


QUARTER_MONTHS = 3
Table = TypeVar("Table", bound=Options)
Exchange = Annotated[str, AfterValidator(_known_exchange)]
Symbol = Annotated[str, AfterValidator(_well_formed)]


class MarketOptions(Options):
    """The [market] table: what is forecast, and what is looked at for it."""

    exchange: Exchange = Field(default="XNSE", description="exchange of symbols and peers, market identifier code")
    symbols: tuple[Symbol, ...] = Field(
        default=("RELIANCE.NS",), min_length=1, description="what is forecast and traded; @nifty50 is a list"
    )
    peers: tuple[Symbol, ...] = Field(
        default=("TCS.NS", "INFY.NS", "HDFCBANK.NS", "ICICIBANK.NS", "ITC.NS", "ONGC.NS"),
        description="trained on together with symbols, never traded; @nifty50 is a list",
    )
    context: Mapping[Exchange, tuple[Symbol, ...]] = Field(
        default={
            "XNYS": (
                *("INDA", "EPI", "INDY", "INFY", "HDB", "IBN", "WIT", "RDY"),
                *("^GSPC", "^VIX", "VWO", "FXI", "XLE", "BNO"),
            ),
            "CMES": ("CL=F", "GC=F"),
            "FOREX": ("INR=X",),
            "XNSE": ("^NSEI", "^CNXENERGY", "^INDIAVIX"),
            "XTKS": ("^N225",),
            "XHKG": ("^HSI",),
            "XFRA": ("^GDAXI",),
            "XLON": ("^FTSE",),
        },
        description="what else the forecasts look at, by the exchange whose close makes it known",
    )
    history_start: date = Field(
        default=date(2006, 1, 19),
        ge=date(1980, 1, 1),
        description="oldest session that is read and learnt from",
    )

    demergers: Path | None = Field(
        default=None, description="what held shares were split up into, a CSV in place of the table that comes along"
    )

    @field_validator("symbols", mode="before")
    @classmethod
    def _lists_of_symbols(cls, entries: Any, info: ValidationInfo) -> Any:
        return expanded(entries, exchange=info.data.get("exchange", ""))

    @field_validator("peers", mode="before")
    @classmethod
    def _lists_of_peers(cls, entries: Any, info: ValidationInfo) -> Any:
        return expanded(entries, exchange=info.data.get("exchange", ""), besides=info.data.get("symbols", ()))

    @property
    def every_symbol(self) -> tuple[str, ...]:
        """Symbols, peers and context, in this order."""
        return (*self.symbols, *self.peers, *(name for names in self.context.values() for name in names))

    @model_validator(mode="after")
    def _symbols_differ(self) -> "MarketOptions":
        names = sorted(self.every_symbol)
        doubled = [name for name, following in pairwise(names) if name == following]
        if doubled:
            raise ValueError(f'"{doubled[0]}" stands twice in symbols, peers and context; list it once')
        return self


def _local_minute(wall: time) -> time:
    if wall.tzinfo is None and wall == wall.replace(second=0, microsecond=0):
        return wall
    raise ValueError('it must be a whole minute on the exchange\'s own clock, such as "08:45"')


class ScheduleOptions(Options):
    """The [schedule] table: when the daemon acts."""

    decision_time: Annotated[time, AfterValidator(_local_minute)] = Field(
        default=time(8, 45), description="when a session is decided, before it opens, exchange's wall clock"
    )
    poll_s: float = Field(default=60.0, ge=1, le=3600, description="pause between two looks at what is due, seconds")


class StorageOptions(Options):
    """The [storage] table: where everything is kept."""

    state_dir: Path = Field(
        default=Path("state"),
        description="folder of database, models and log; a relative one starts at the configuration's folder",
    )
    url: str | None = Field(
        default=None,
        pattern=r"^(sqlite|postgresql)(\+\w+)?://",
        description="the database, if it is not signals.db in state_dir; SQLAlchemy URL",
    )
    backup_dir: Path | None = Field(
        default=None, description="folder of the backups, if it is not backups in state_dir"
    )
    group_read: bool = Field(
        default=False, description="whether users of the state's group may look: `status`, `signals`, SQL; SQLite only"
    )
    backups_kept: int = Field(
        default=7, ge=0, le=10_000, description="backups that stay, count; 0 makes none after a session and keeps all"
    )

    @property
    def database_url(self) -> str:
        """The URL that is opened."""
        return self.url or f"sqlite:///{self.state_dir / 'signals.db'}"

    @property
    def backups(self) -> Path:
        """Folder of the backups."""
        return self.backup_dir or self.state_dir / "backups"

    @property
    def models_dir(self) -> Path:
        """Folder of the trained models."""
        return self.state_dir / "models"


class Settings(Options):
    """The configuration: one field a table, each described where it is applied."""

    market: MarketOptions = MarketOptions()
    calendar: CalendarOptions = CalendarOptions()
    feed: FeedOptions = FeedOptions()
    bars: BarRules = BarRules()
    schedule: ScheduleOptions = ScheduleOptions()
    labels: LabelOptions = LabelOptions()
    ensemble: EnsembleOptions = EnsembleOptions()
    promotion: PromotionOptions = PromotionOptions()
    drift: DriftOptions = DriftOptions()
    workers: WorkerOptions = WorkerOptions()
    signals: SignalOptions = SignalOptions()
    risk: RiskLimits = RiskLimits()
    costs: Costs = Costs()
    broker: BrokerOptions = BrokerOptions()
    evaluation: EvaluationOptions = EvaluationOptions()
    audit: AuditOptions = AuditOptions()
    sweep: SweepOptions = SweepOptions()
    storage: StorageOptions = StorageOptions()
    cloud: CloudOptions = CloudOptions()
    log: LogOptions = LogOptions()
    health: HealthOptions = HealthOptions()
    metrics: MetricsOptions = MetricsOptions()
    notify: NotifyOptions = NotifyOptions()
    report: ReportOptions = ReportOptions()

    @property
    def rules(self) -> TradingRules:
        """What sessions are settled by."""
        return TradingRules(self.risk, self.costs, self.market.exchange)

    @model_validator(mode="after")
    def _decided_before_the_open(self) -> "Settings":
        hours, decision = EXCHANGES[self.market.exchange], self.schedule.decision_time
        if hours.opens >= hours.closes:
            raise ValueError(
                f'market.exchange was "{self.market.exchange}", whose sessions begin the evening before; '
                "it can only be a context exchange"
            )
        if decision >= hours.opens:
            raise ValueError(
                f"schedule.decision_time was {decision:%H:%M}; "
                f"it must lie before {self.market.exchange} opens, {hours.opens:%H:%M}"
            )
        overnight_min = 24 * 60 - _minutes(hours.closes) + _minutes(decision)
        if self.feed.delay_min > overnight_min:
            raise ValueError(
                f"feed.delay_min was {self.feed.delay_min}; it must be at most {overnight_min}, "
                "so that a session's bar is known when the next one is decided"
            )
        return self

    @model_validator(mode="before")
    @classmethod
    def _ages_that_nobody_set(cls, tables: Any) -> Any:
        """A model that serves a quarter may be three times as old; where versions are tried, both ages are one."""
        if not isinstance(tables, dict):
            return tables
        ensemble, promotion, signals = (tables.get(name, {}) for name in ("ensemble", "promotion", "signals"))
        if not isinstance(promotion, dict) or not isinstance(signals, dict):
            return tables
        quarterly = isinstance(ensemble, dict) and ensemble.get("retrain") == "quarterly"
        served_months = QUARTER_MONTHS if quarterly else 1
        promotion = {"max_age_months": served_months * PromotionOptions().max_age_months} | promotion
        try:
            options = PromotionOptions.model_validate(promotion)
        except ValidationError:
            return tables  # which is refused as soon as its own table is looked at
        oldest = options.max_age_months if options.tries else served_months * SignalOptions().max_model_age_months
        return tables | {"promotion": promotion, "signals": {"max_model_age_months": oldest} | signals}

    @model_validator(mode="after")
    def _who_wins_trials_may_serve(self) -> "Settings":
        oldest, held = self.promotion.max_age_months, self.signals.max_model_age_months
        if not self.promotion.tries:
            return self
        if self.ensemble.retrain == "quarterly" and oldest <= QUARTER_MONTHS:
            raise ValueError(
                f'promotion.max_age_months was {oldest} with ensemble.retrain "quarterly"; a champion is '
                f"{QUARTER_MONTHS + 1} months old while its challenger is tried, so leave it out or set it to at least "
                f"{QUARTER_MONTHS + 1}"
            )
        if held < oldest:
            raise ValueError(
                f"signals.max_model_age_months was {held} and promotion.max_age_months {oldest} with promotion.policy "
                f'"{self.promotion.policy}"; a champion that is older than the first would only hold, so leave the '
                f"first out or set it to {oldest}"
            )
        return self

    @model_validator(mode="after")
    def _the_trade_that_is_asked_about_is_the_one_made(self) -> "Settings":
        if self.signals.label == "barrier":
            for name in self.labels.barrier.unlike(self.risk):
                asked, made = getattr(self.labels.barrier, name), getattr(self.risk, name)
                raise ValueError(
                    f"labels.barrier.{name} was {asked:g} and risk.{name} {made:g}; where the label barrier is traded "
                    "they must be the same (another question trains all models anew)"
                )
        return self


def load_settings(
    path: Path | None, environ: Mapping[str, str], *, config_paths: Sequence[Path] = CONFIG_PATHS
) -> Settings:
    """The settings of the file `path`, or of the first of `config_paths` there is, or the defaults.

    Variables of `environ` go before the file; relative folders start at the file's folder, else at the
    current one. Raises ConfigError, one line, for a file that can't be read, for one with a secret that everybody can
    read, and for a wrong key, value or row of calendar.overrides.
    """
    source, document = read_config(path, config_paths)
    if source is not None:
        refuse_open_secrets(source, document, Settings)
    overrides = read_overrides(environ, Settings)
    for key, override in overrides.items():
        _put(document, key, override.value)
    try:
        settings = Settings.model_validate(document)
    except ValidationError as error:
        raise ConfigError(complain(error, Settings, document, overrides)) from None
    check_texts(document)
    settings = _anchored(settings, (source.parent if source else Path()).absolute())
    calendar = read_overrides_of(
        settings.calendar, home=settings.market.exchange, decision_time=settings.schedule.decision_time
    )
    return settings.model_copy(update={"calendar": calendar})


def describe(settings: Settings) -> str:
    """The settings as TOML that load_settings reads back to the same; keys without a value are left out."""
    # tomli_w gives every item of a list a line; a line break inside a text is escaped, so none is met here.
    return re.sub(r"\[\n((?: {4}.*,\n)+)\]", _one_line, tomli_w.dumps(_plain(settings.model_dump())))


def _one_line(items: re.Match[str]) -> str:
    return f"[{', '.join(line.strip().removesuffix(',') for line in items[1].splitlines())}]"


def _put(document: dict[str, Any], key: Key, value: Any) -> None:
    table: Any = document
    for name in key[:-1]:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            return  # the file has a value where a table belongs, which the validation tells
    table[key[-1]] = value


def _anchored(options: Table, folder: Path) -> Table:
    """The same with every relative path made absolute."""
    changed: dict[str, Any] = {}
    for name, value in options:
        if isinstance(value, Path):
            changed[name] = folder / value
        elif isinstance(value, Options):
            changed[name] = _anchored(value, folder)
    return options.model_copy(update=changed)


def _plain(value: Any) -> Any:
    """`value` in the types that TOML has; it has none for "not set"."""
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, tuple):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, Path) else value
