"""The tables of bars, forecasts, signals and jobs. Every column's comment becomes its line in `data_dictionary`.

A change here needs a migration in `storage/migrations/versions`; tests compare the two. The paper account's tables,
those of trials and the outbox have files of their own; `storage/schema.py` knows all of them.
"""

from typing import Literal

from sqlalchemy import Double, Index, Integer, MetaData, Table, Text

from storage.column_types import Flag, Json
from storage.columns import (
    COUNT,
    FLAG,
    MONEY,
    PERCENT,
    bar_price,
    column,
    instant,
    key,
    label,
    origin,
    price,
    probability,
    session,
    shares,
    symbol,
)

Origin = Literal["live", "backtest"]
LIVE: Origin = "live"

METADATA = MetaData(naming_convention={"ck": "%(table_name)s_%(constraint_name)s", "pk": "%(table_name)s_key"})

_VERDICT = "{0} IN ('accepted', 'rejected')"
_INTERVAL = "the Venn-Abers interval: where past outcomes put the calibrated probability; empty with too few of them"

bars = Table(
    "bars",
    METADATA,
    symbol(),
    session("The bar's trading day"),
    instant("seen_at", "When this version of the bar was fetched"),
    instant("superseded_at", "When a newer version replaced it; empty for the current one", null=True),
    column("provider", Text, "The feed it came from"),
    bar_price("open", "Opening price, split-adjusted", null=True),
    bar_price("high", "Highest price, split-adjusted", null=True),
    bar_price("low", "Lowest price, split-adjusted", null=True),
    bar_price("close", "Closing price, split-adjusted"),
    bar_price("adj_close", "Closing price adjusted for splits and dividends"),
    column("volume", Double, "Shares traded; empty where the feed has none", check=COUNT, null=True),
    column("withdrawn", Text, "Why this bar is believed no more from seen_at on; empty for one that is", null=True),
    key("symbol", "session", "seen_at"),
    comment="Daily bars, one row a version: a revised bar is added, and one that withdraws it; the old one stays",
    # Rows lie in the order of the key, which is the order they are read in: half the file, twice the speed.
    sqlite_with_rowid=False,
)

quarantine = Table(
    "quarantine",
    METADATA,
    column("id", Integer, "Number of the refusal"),
    symbol(),
    session("The trading day the refused bar claims, empty where it has none", null=True),
    instant("seen_at", "When it was first refused"),
    column("reason", Text, "Why it was refused"),
    column("payload", Json, "The refused values, a JSON object; null is a missing number"),
    column(
        "verdict",
        Text,
        "What a person said of it: accepted or rejected; empty while none has",
        check=_VERDICT,
        null=True,
    ),
    instant("decided_at", "When", null=True),
    column("decided_by", Text, "Who: the name of the account that gave the command", null=True),
    column("note", Text, "Why, in that person's words", null=True),
    key("id"),
    comment="Bars that were refused; none reaches a forecast unless it is accepted",
)
quarantine_symbol = Index("quarantine_symbol", quarantine.c.symbol)

models = Table(
    "models",
    METADATA,
    column("model_id", Text, "Name of the trained ensemble"),
    column("month", Text, "The month it was trained for, e.g. 2021-10", check="length({0}) = 7"),
    instant("created_at", "When its training ended"),
    column("manifest", Json, "What it is made of: members, windows, scores, digests; a JSON object"),
    key("model_id"),
    comment="Every ensemble ever trained",
)

member_forecasts = Table(
    "member_forecasts",
    METADATA,
    origin(),
    session("The trading day forecast"),
    symbol(),
    label(),
    column("member", Text, "Name of the member of the ensemble"),
    probability("probability", "The member's P(label is 1)"),
    column("model_id", Text, "The ensemble the member belongs to, see models"),
    key("origin", "session", "symbol", "label", "member"),
    comment="What each member said, so that every forecast can be taken apart",
    sqlite_with_rowid=False,
)

forecasts = Table(
    "forecasts",
    METADATA,
    origin(),
    session("The trading day forecast"),
    symbol(),
    label(),
    probability("probability", "The ensemble's P(label is 1), calibrated"),
    probability("probability_mean", "The members' mean log-odds as a probability: what the stack has to beat"),
    column("method", Text, "Who spoke: mean, vote, ridge, stack, platt, beta or isotonic"),
    column("model_id", Text, "The ensemble that made it, see models"),
    column("data_digest", Text, "Digest of the data it was made from"),
    column("code_version", Text, "Version of the program that made it"),
    instant("decided_at", "When it was made"),
    column("late", Flag, "1: made after the session had opened", check=FLAG),
    probability("probability_low", f"Low end of {_INTERVAL}", null=True),
    column(
        "probability_high",
        Double,
        f"High end of {_INTERVAL}, 0 to 1",
        check="{0} >= probability_low AND {0} <= 1",
        null=True,
    ),
    key("origin", "session", "symbol", "label"),
    comment="The ensemble's forecasts; a row is never changed",
)

signals = Table(
    "signals",
    METADATA,
    origin(),
    session("The trading day to act on, at its open"),
    symbol(),
    label(),
    column("action", Text, "BUY, SELL (flat; short, of futures) or HOLD", check="{0} IN ('BUY', 'SELL', 'HOLD')"),
    probability("probability", "The forecast it follows from; empty without one", null=True),
    probability("confidence", "max(p, 1 - p) of that forecast", null=True),
    shares("Shares to trade; 0 for HOLD"),
    price("reference_price", "Last close known at the decision, which sizes the order", null=True),
    column("stop_loss_pct", Double, "Stop below the entry, above it for a short, per cent", check=PERCENT),
    column("take_profit_pct", Double, "Target above the entry, below it for a short, per cent", check=PERCENT),
    column("reasons", Json, "Why, a JSON list of words such as BELOW_CONFIDENCE"),
    column("late", Flag, "1: decided after the session had opened, kept for the record", check=FLAG),
    column("actionable", Flag, "1: to be traded", check=FLAG),
    instant("decided_at", "When it was decided"),
    column(
        "expected_value_bp",
        Double,
        "Least value of acting on the forecast after costs, basis points of what is traded; empty where no gate asks",
        check="{0} > -1e6 AND {0} < 1e6",
        null=True,
    ),
    column(
        "value_limit",
        Double,
        "Most that the position may be worth at its entry, in the account's currency; empty where none is opened",
        check=MONEY,
        null=True,
    ),
    key("origin", "session", "symbol"),
    comment="One decision a session and symbol, also when nothing is done",
)

outcomes = Table(
    "outcomes",
    METADATA,
    session("The trading day forecast"),
    symbol(),
    label(),
    column("outcome", Integer, "1: the label came true; 0: it did not", check=FLAG),
    instant("resolved_at", "When it was worked out, or corrected last"),
    key("session", "symbol", "label"),
    comment="What really happened, from the bars as now known",
    sqlite_with_rowid=False,
)

runs = Table(
    "runs",
    METADATA,
    origin(),
    column("kind", Text, "The job: settle or decide"),
    session("The trading day it was for"),
    column(
        "status",
        Text,
        "running, done, failed, or no_data: settled without a bar that did not come; settled again once it does",
        check="{0} IN ('running', 'done', 'failed', 'no_data')",
    ),
    instant("started_at", "When it began; of one whose last attempt failed, its first attempt that did"),
    instant("finished_at", "When it ended; empty while running", null=True),
    column("detail", Text, "What it did, or why it failed"),
    column("configuration", Text, "What it was done by, see configurations; empty before it was kept", null=True),
    instant("bars_known_at", "It knew every bar seen until then and, but for late ones, none seen later", null=True),
    column("events_known", Integer, "How many events of the paper account it knew", check=COUNT, null=True),
    column("code_version", Text, "Version of the program that did it, and of its libraries", null=True),
    instant(
        "late_known_at",
        "Of a session settled again: it also knew the bars that came until then for the first time; else empty",
        null=True,
    ),
    key("origin", "kind", "session"),
    comment="The ledger of jobs: what is neither done nor no_data here is due",
)

configurations = Table(
    "configurations",
    METADATA,
    column("digest", Text, "Digest of the settings, which `runs` names"),
    column("settings", Text, "All that decides and settles, as a JSON object whose order counts; never a secret"),
    instant("first_seen", "When something was first decided or settled by it"),
    key("digest"),
    comment="Every configuration that a session was decided or settled by, which `verify` replays it with",
)

features = Table(
    "features",
    METADATA,
    origin(),
    session("The trading day decided"),
    column("digest", Text, "Digest of the features the decision was made on"),
    column("column_count", Integer, "Number of features", check=COUNT),
    key("origin", "session"),
    comment="Fingerprint of the features of each decision, which `verify` compares",
)

data_dictionary = Table(
    "data_dictionary",
    METADATA,
    column("object_name", Text, "Name of the table or view"),
    column("column_name", Text, "Name of the column; empty for the table or view itself"),
    column("type", Text, "The column's SQL type; table or view for the object itself"),
    column("description", Text, "What it holds, with its unit"),
    key("object_name", "column_name"),
    comment="Explains every table, view and column",
)
