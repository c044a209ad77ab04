"""The tables of what was tried: trials, and each look at the sessions held out."""

from sqlalchemy import Double, Integer, Table, Text

from storage.column_types import Json
from storage.columns import COUNT, column, instant, key, probability, session
from storage.tables import METADATA

_LOSS = "{0} >= 0 AND {0} < 1e3"
_TRIAL_KIND = "{0} IN ('sweep', 'backtest')"
_TRIAL_STATE = "{0} IN ('running', 'complete', 'pruned', 'failed')"

trials = Table(
    "trials",
    METADATA,
    column("trial_id", Text, "The search's name and the trial's number in it; of a backtest, its recipe and label"),
    column("kind", Text, "sweep: one member of a search; backtest: a replayed ensemble", check=_TRIAL_KIND),
    column("study", Text, "The search that it belongs to, or the recipe that was replayed"),
    column("number", Integer, "Its place in the search, from 0", check=COUNT),
    column("state", Text, "running, complete, pruned (given up early) or failed", check=_TRIAL_STATE),
    column("digest", Text, "Digest of what was tried, and of its inputs and code: equal ones are one trial"),
    column("settings", Json, "What was tried, a JSON object"),
    column(
        "label",
        Text,
        "The label searched for or replayed; empty for a backtest before schema 0007",
        null=True,
    ),
    session("The first trading day asked for", name="first_session"),
    session("The last trading day asked for", name="last_session"),
    column("sessions", Integer, "Trading days scored", check=COUNT),
    column("log_loss", Double, "Mean log loss over the sessions scored, nats", check=_LOSS, null=True),
    column("base_log_loss", Double, "The same of the base rate known at the time, nats", check=_LOSS, null=True),
    probability("auc", "Area under the ROC curve, averaged over months", null=True),
    probability("right_share", "Share of forecasts on the right side of one half", null=True),
    column("progress", Json, "Mean log loss after each look at it, a JSON list", null=True),
    instant("started_at", "When it began"),
    instant("finished_at", "When it ended; empty while running", null=True),
    column("code_version", Text, "Version of the program that made it"),
    column("detail", Text, "Why it failed; else empty"),
    key("trial_id"),
    comment="Every configuration ever scored on past sessions: how much the best of them must be discounted",
)

trial_sessions = Table(
    "trial_sessions",
    METADATA,
    column("trial_id", Text, "The trial, see trials"),
    session("The trading day forecast"),
    column("log_loss", Double, "The trial's log loss, mean over symbols, nats", check=_LOSS),
    column("base_log_loss", Double, "The same of the base rate known at the time, nats", check=_LOSS),
    key("trial_id", "session"),
    comment="How each complete trial did, session by session",
    sqlite_with_rowid=False,
)

holdout_openings = Table(
    "holdout_openings",
    METADATA,
    column("experiment", Text, "Name of the declared experiment, evaluation.experiment"),
    session("The first trading day that was held out", name="holdout_from"),
    session("The last trading day that was looked at", name="last_session"),
    column("digest", Text, "Digest of the forecasts that were looked at"),
    instant("opened_at", "When it was opened"),
    column("code_version", Text, "Version of the program that opened it"),
    key("experiment"),
    comment="Every look at the sessions held out: once for each declared experiment",
)
