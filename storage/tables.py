"""The tables of signals.db. Every column's comment becomes its line in `data_dictionary`.

A change here needs a migration in `storage/migrations/versions`; tests compare the two.
"""

from typing import Any, Literal

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
)
from sqlalchemy.types import TypeEngine

from storage.column_types import Flag, Instant, Json, Session

Origin = Literal["live", "backtest"]
LIVE: Origin = "live"

METADATA = MetaData(naming_convention={"ck": "%(table_name)s_%(constraint_name)s", "pk": "%(table_name)s_key"})

# Bounded above as well: a CHECK (close > 0) alone lets infinity, and in SQLite any text, pass.
_PRICE = "{0} > 0 AND {0} < 1e9"
_MONEY = "{0} > -1e15 AND {0} < 1e15"
_COUNT = "{0} >= 0 AND {0} < 1e15"
_SHARE = "{0} >= 0 AND {0} <= 1"
_PERCENT = "{0} >= 0 AND {0} <= 100"
_FLAG = "{0} IN (0, 1)"
_ORIGIN = "{0} IN ('live', 'backtest')"
_SESSION = "length({0}) = 10"
_LOSS = "{0} >= 0 AND {0} < 1e3"
_DIRECTION = "{0} IN ('LONG', 'SHORT')"
_TRIAL_KIND = "{0} IN ('sweep', 'backtest')"
_TRIAL_STATE = "{0} IN ('running', 'complete', 'pruned', 'failed')"

_INTERVAL = "the Venn-Abers interval: where past outcomes put the calibrated probability; empty with too few of them"


def _column(
    name: str, kind: type[TypeEngine[Any]], comment: str, *, check: str | None = None, null: bool = False
) -> Column[Any]:
    checks = [] if check is None else [CheckConstraint(check.format(name), name=name)]
    return Column(name, kind, *checks, nullable=null, comment=comment)


def _origin() -> Column[Any]:
    return _column(
        "origin", Text, "live: decided by the daemon as time went by; backtest: replayed later", check=_ORIGIN
    )


def _session(comment: str, *, name: str = "session", null: bool = False) -> Column[Any]:
    return _column(name, Session, f"{comment}, ISO date of the exchange", check=_SESSION, null=null)


def _symbol() -> Column[Any]:
    return _column("symbol", Text, "The provider's symbol, e.g. RELIANCE.NS")


def _label() -> Column[Any]:
    return _column(
        "label", Text, "What is forecast: gap, close_to_close, open_to_close, or barrier (target before stop)"
    )


def _instant(name: str, comment: str, *, null: bool = False) -> Column[Any]:
    return _column(name, Instant, f"{comment}, UTC", null=null)


def _price(name: str, comment: str, *, null: bool = False) -> Column[Any]:
    return _column(name, Double, f"{comment}, price of one share", check=_PRICE, null=null)


def _money(name: str, comment: str) -> Column[Any]:
    return _column(name, Double, f"{comment}, in the account's currency", check=_MONEY)


def _shares(comment: str) -> Column[Any]:
    return _column("quantity", BigInteger, comment, check=_COUNT)


def _direction() -> Column[Any]:
    return _column("direction", Text, "LONG: earns when the price rises; SHORT: when it falls", check=_DIRECTION)


def _probability(name: str, comment: str, *, null: bool = False) -> Column[Any]:
    return _column(name, Double, f"{comment}, 0 to 1", check=_SHARE, null=null)


def _key(*columns: str) -> PrimaryKeyConstraint:
    return PrimaryKeyConstraint(*columns)


bars = Table(
    "bars",
    METADATA,
    _symbol(),
    _session("The bar's trading day"),
    _instant("seen_at", "When this version of the bar was fetched"),
    _instant("superseded_at", "When a newer version replaced it; empty for the current one", null=True),
    _column("provider", Text, "The feed it came from"),
    _price("open", "Opening price, split-adjusted", null=True),
    _price("high", "Highest price, split-adjusted", null=True),
    _price("low", "Lowest price, split-adjusted", null=True),
    _price("close", "Closing price, split-adjusted"),
    _price("adj_close", "Closing price adjusted for splits and dividends"),
    _column("volume", Double, "Shares traded; empty where the feed has none", check=_COUNT, null=True),
    _key("symbol", "session", "seen_at"),
    comment="Daily bars, one row a version: a revised bar is added, the old one stays",
    # Rows lie in the order of the key, which is the order they are read in: half the file, twice the speed.
    sqlite_with_rowid=False,
)

quarantine = Table(
    "quarantine",
    METADATA,
    _column("id", Integer, "Number of the refusal"),
    _symbol(),
    _session("The trading day the refused bar claims, empty where it has none", null=True),
    _instant("seen_at", "When it was first refused"),
    _column("reason", Text, "Why it was refused"),
    _column("payload", Json, "The refused values, a JSON object; null is a missing number"),
    _key("id"),
    comment="Bars that were refused and never reach a forecast",
)
quarantine_symbol = Index("quarantine_symbol", quarantine.c.symbol)

models = Table(
    "models",
    METADATA,
    _column("model_id", Text, "Name of the trained ensemble"),
    _column("month", Text, "The month it was trained for, e.g. 2021-10", check="length({0}) = 7"),
    _instant("created_at", "When its training ended"),
    _column("manifest", Json, "What it is made of: members, windows, scores, digests; a JSON object"),
    _key("model_id"),
    comment="Every ensemble ever trained",
)

member_forecasts = Table(
    "member_forecasts",
    METADATA,
    _origin(),
    _session("The trading day forecast"),
    _symbol(),
    _label(),
    _column("member", Text, "Name of the member of the ensemble"),
    _probability("probability", "The member's P(label is 1)"),
    _column("model_id", Text, "The ensemble the member belongs to, see models"),
    _key("origin", "session", "symbol", "label", "member"),
    comment="What each member said, so that every forecast can be taken apart",
    sqlite_with_rowid=False,
)

forecasts = Table(
    "forecasts",
    METADATA,
    _origin(),
    _session("The trading day forecast"),
    _symbol(),
    _label(),
    _probability("probability", "The ensemble's P(label is 1), calibrated"),
    _probability("probability_mean", "The members' mean log-odds as a probability: what the stack has to beat"),
    _column("method", Text, "Who spoke: mean, vote, ridge, stack, platt, beta or isotonic"),
    _column("model_id", Text, "The ensemble that made it, see models"),
    _column("data_digest", Text, "Digest of the data it was made from"),
    _column("code_version", Text, "Version of the program that made it"),
    _instant("decided_at", "When it was made"),
    _column("late", Flag, "1: made after the session had opened", check=_FLAG),
    _probability("probability_low", f"Low end of {_INTERVAL}", null=True),
    _column(
        "probability_high",
        Double,
        f"High end of {_INTERVAL}, 0 to 1",
        check="{0} >= probability_low AND {0} <= 1",
        null=True,
    ),
    _key("origin", "session", "symbol", "label"),
    comment="The ensemble's forecasts; a row is never changed",
)

signals = Table(
    "signals",
    METADATA,
    _origin(),
    _session("The trading day to act on, at its open"),
    _symbol(),
    _label(),
    _column("action", Text, "BUY, SELL (flat; short, of futures) or HOLD", check="{0} IN ('BUY', 'SELL', 'HOLD')"),
    _probability("probability", "The forecast it follows from; empty without one", null=True),
    _probability("confidence", "max(p, 1 - p) of that forecast", null=True),
    _shares("Shares to trade; 0 for HOLD"),
    _price("reference_price", "Last close known at the decision, which sizes the order", null=True),
    _column("stop_loss_pct", Double, "Stop below the entry, above it for a short, per cent", check=_PERCENT),
    _column("take_profit_pct", Double, "Target above the entry, below it for a short, per cent", check=_PERCENT),
    _column("reasons", Json, "Why, a JSON list of words such as BELOW_CONFIDENCE"),
    _column("late", Flag, "1: decided after the session had opened, kept for the record", check=_FLAG),
    _column("actionable", Flag, "1: to be traded", check=_FLAG),
    _instant("decided_at", "When it was decided"),
    _column(
        "expected_value_bp",
        Double,
        "Least value of acting on the forecast after costs, basis points of what is traded; empty where no gate asks",
        check="{0} > -1e6 AND {0} < 1e6",
        null=True,
    ),
    _column(
        "value_limit",
        Double,
        "Most that the position may be worth at its entry, in the account's currency; empty where none is opened",
        check=_MONEY,
        null=True,
    ),
    _key("origin", "session", "symbol"),
    comment="One decision a session and symbol, also when nothing is done",
)

outcomes = Table(
    "outcomes",
    METADATA,
    _session("The trading day forecast"),
    _symbol(),
    _label(),
    _column("outcome", Integer, "1: the label came true; 0: it did not", check=_FLAG),
    _instant("resolved_at", "When it was worked out, or corrected last"),
    _key("session", "symbol", "label"),
    comment="What really happened, from the bars as now known",
    sqlite_with_rowid=False,
)

positions = Table(
    "positions",
    METADATA,
    _origin(),
    _symbol(),
    _shares("Shares held, or owed where direction is SHORT"),
    _session("The trading day it was entered at the open of", name="entry_session"),
    _price("entry_price", "Entry price, after slippage"),
    _price("stop_price", "Closed when the price falls to this; rises, for a short"),
    _price("target_price", "Closed when the price rises to this; falls, for a short"),
    _money("entry_cost", "Fees of the entry"),
    _column("sessions_held", Integer, "Sessions with a bar since the entry, its own included", check=_COUNT),
    _price("last_close", "Last close known, which values it"),
    _session("The trading day of that close", name="last_session"),
    _price("entry_open", "Open of the entry's bar, before slippage"),
    _direction(),
    _column(
        "dividend_factor",
        Double,
        "What the dividends credited so far left of the price, 0.99 after one of 1 %",
        check=_PRICE,
    ),
    _money("income", "Dividends and other cash received on it so far, less the cost of fractions sold"),
    _key("origin", "symbol"),
    comment="What the paper account holds now",
)

trades = Table(
    "trades",
    METADATA,
    _origin(),
    _symbol(),
    _shares("Shares traded"),
    _session("The trading day it was entered at the open of", name="entry_session"),
    _price("entry_price", "Entry price, after slippage"),
    _session("The trading day it was closed on", name="exit_session"),
    _price("exit_price", "Exit price, after slippage"),
    _column("exit_reason", Text, "What ended it: STOP, TARGET, TIME or SIGNAL"),
    _money("cost", "Fees of both sides"),
    _money("profit", "Gain or loss after costs, income counted"),
    _direction(),
    _money("income", "Dividends and other cash received while it was held; negative where a short paid them"),
    _key("origin", "symbol", "entry_session"),
    comment="Closed positions of the paper account",
)

account = Table(
    "account",
    METADATA,
    _origin(),
    _session("The trading day settled"),
    _money("cash", "Cash"),
    _money("equity", "Cash, dividends to come and the positions at their last closes, shorts counted negative"),
    _money("exposure", "Value of the positions at their last closes, shorts counted positive"),
    _column("positions", Integer, "Number of positions held", check=_COUNT),
    _money("peak_equity", "Highest equity so far, since the last drawdown halt ended"),
    _column("drawdown_pct", Double, "How far the equity is below its peak, per cent", check=_PERCENT),
    _money("receivable", "Dividends that are not paid yet"),
    _key("origin", "session"),
    comment="The paper account at the close of each session",
)

account_events = Table(
    "account_events",
    METADATA,
    _origin(),
    _column("number", Integer, "Its place among the account's events, from 1", check=_COUNT),
    _session("The trading day it belongs to; of a halt by command, the first that had not opened yet"),
    _column("kind", Text, "What happened: OPENED, ENTERED, EXITED, UNFILLED, DIVIDEND, MARKED, HALTED, SETTLED, ..."),
    _column("symbol", Text, "The provider's symbol; empty for what concerns the whole account", null=True),
    _column("direction", Text, "LONG or SHORT, of an entry, an exit or an order", check=_DIRECTION, null=True),
    _shares("Shares traded, ordered, or held after a split; 0 where there is none to tell"),
    _price("price", "Paid, received, marked or credited", null=True),
    _column(
        "amount",
        Double,
        "Fees of an entry or exit; else the cash that came (negative: went) or the equity, in the account's currency",
        check=_MONEY,
        null=True,
    ),
    _price("bar_open", "Open of the entry's bar, before slippage", null=True),
    _price("stop_price", "Stop of an entry", null=True),
    _price("target_price", "Target of an entry", null=True),
    _column(
        "factor",
        Double,
        "Shares after a split for each one before; what a dividend leaves of the price",
        check=_PRICE,
        null=True,
    ),
    _column("sessions", Integer, "How many sessions a halt lasts; empty: until resumed", check=_COUNT, null=True),
    _column("reason", Text, "Why: a word such as STOP, NO_BAR or DRAWDOWN_HALT", null=True),
    _column("note", Text, "What a person said", null=True),
    _instant("commanded_at", "When a person halted or resumed; empty for what a settlement did", null=True),
    _column(
        "cause",
        Text,
        "Of a kill switch and its end: COMMAND or FILE; else empty",
        check="{0} IN ('COMMAND', 'FILE')",
        null=True,
    ),
    _key("origin", "number"),
    comment="All that happened to the paper account, in order: what it is follows from these alone",
    sqlite_with_rowid=False,
)

runs = Table(
    "runs",
    METADATA,
    _origin(),
    _column("kind", Text, "The job: settle or decide"),
    _session("The trading day it was for"),
    _column("status", Text, "running, done or failed", check="{0} IN ('running', 'done', 'failed')"),
    _instant("started_at", "When it began"),
    _instant("finished_at", "When it ended; empty while running", null=True),
    _column("detail", Text, "What it did, or why it failed"),
    _column("configuration", Text, "What it was done by, see configurations; empty before it was kept", null=True),
    _instant("bars_known_at", "It knew every bar seen until then and none seen later", null=True),
    _column("events_known", Integer, "How many events of the paper account it knew", check=_COUNT, null=True),
    _column("code_version", Text, "Version of the program that did it, and of its libraries", null=True),
    _key("origin", "kind", "session"),
    comment="The ledger of jobs: what is not done here is due",
)

configurations = Table(
    "configurations",
    METADATA,
    _column("digest", Text, "Digest of the settings, which `runs` names"),
    _column("settings", Text, "All that decides and settles, as a JSON object whose order counts; never a secret"),
    _instant("first_seen", "When something was first decided or settled by it"),
    _key("digest"),
    comment="Every configuration that a session was decided or settled by, which `verify` replays it with",
)

features = Table(
    "features",
    METADATA,
    _origin(),
    _session("The trading day decided"),
    _column("digest", Text, "Digest of the features the decision was made on"),
    _column("column_count", Integer, "Number of features", check=_COUNT),
    _key("origin", "session"),
    comment="Fingerprint of the features of each decision, which `verify` compares",
)

trials = Table(
    "trials",
    METADATA,
    _column("trial_id", Text, "The search's name and the trial's number in it; of a backtest, its recipe and label"),
    _column("kind", Text, "sweep: one member of a search; backtest: a replayed ensemble", check=_TRIAL_KIND),
    _column("study", Text, "The search that it belongs to, or the recipe that was replayed"),
    _column("number", Integer, "Its place in the search, from 0", check=_COUNT),
    _column("state", Text, "running, complete, pruned (given up early) or failed", check=_TRIAL_STATE),
    _column("digest", Text, "Digest of what was tried, and of its inputs and code: equal ones are one trial"),
    _column("settings", Json, "What was tried, a JSON object"),
    _column(
        "label",
        Text,
        "The label searched for or replayed; empty for a backtest before schema 0007",
        null=True,
    ),
    _session("The first trading day asked for", name="first_session"),
    _session("The last trading day asked for", name="last_session"),
    _column("sessions", Integer, "Trading days scored", check=_COUNT),
    _column("log_loss", Double, "Mean log loss over the sessions scored, nats", check=_LOSS, null=True),
    _column("base_log_loss", Double, "The same of the base rate known at the time, nats", check=_LOSS, null=True),
    _probability("auc", "Area under the ROC curve, averaged over months", null=True),
    _probability("right_share", "Share of forecasts on the right side of one half", null=True),
    _column("progress", Json, "Mean log loss after each look at it, a JSON list", null=True),
    _instant("started_at", "When it began"),
    _instant("finished_at", "When it ended; empty while running", null=True),
    _column("code_version", Text, "Version of the program that made it"),
    _column("detail", Text, "Why it failed; else empty"),
    _key("trial_id"),
    comment="Every configuration ever scored on past sessions: how much the best of them must be discounted",
)

trial_sessions = Table(
    "trial_sessions",
    METADATA,
    _column("trial_id", Text, "The trial, see trials"),
    _session("The trading day forecast"),
    _column("log_loss", Double, "The trial's log loss, mean over symbols, nats", check=_LOSS),
    _column("base_log_loss", Double, "The same of the base rate known at the time, nats", check=_LOSS),
    _key("trial_id", "session"),
    comment="How each complete trial did, session by session",
    sqlite_with_rowid=False,
)

holdout_openings = Table(
    "holdout_openings",
    METADATA,
    _column("experiment", Text, "Name of the declared experiment, evaluation.experiment"),
    _session("The first trading day that was held out", name="holdout_from"),
    _session("The last trading day that was looked at", name="last_session"),
    _column("digest", Text, "Digest of the forecasts that were looked at"),
    _instant("opened_at", "When it was opened"),
    _column("code_version", Text, "Version of the program that opened it"),
    _key("experiment"),
    comment="Every look at the sessions held out: once for each declared experiment",
)

data_dictionary = Table(
    "data_dictionary",
    METADATA,
    _column("object_name", Text, "Name of the table or view"),
    _column("column_name", Text, "Name of the column; empty for the table or view itself"),
    _column("type", Text, "The column's SQL type; table or view for the object itself"),
    _column("description", Text, "What it holds, with its unit"),
    _key("object_name", "column_name"),
    comment="Explains every table, view and column",
)
