"""The tables of the versions of models: what happened to each, what others than the champion say, how live ones do."""

from sqlalchemy import Double, Integer, Table, Text

from storage.column_types import Flag, Json
from storage.columns import COUNT, FLAG, column, instant, key, label, origin, probability, session, symbol
from storage.tables import METADATA

_KINDS = "'promoted', 'tried', 'held', 'judged', 'kept', 'rolled_back', 'pinned', 'unpinned', 'refused'"

model_events = Table(
    "model_events",
    METADATA,
    origin(),
    column("number", Integer, "Its place among the events of its origin, from 1", check=COUNT),
    instant("at", "When it happened"),
    session("The first trading day that it counts for"),
    column(
        "kind",
        Text,
        "promoted: it serves; tried: its trial begins; held: it waits for a person; judged: it was scored beside the "
        "rival on the same later trading days; kept: the rival serves on; rolled_back: it serves again; pinned: it "
        "serves until unpinned; refused: it is damaged and serves no more",
        check=f"{{0}} IN ({_KINDS})",
    ),
    column("model_id", Text, "The version, see models"),
    column(
        "rival_id", Text, "The version that served before, or that it was scored beside; empty without one", null=True
    ),
    column("recipe", Text, "Digest of the settings and the code that it counts for; empty of what a person commanded"),
    column("actor", Text, "Who: policy, or the name of the account that gave the command"),
    column("note", Text, "Why, in a line"),
    column("scores", Json, "Of judged: sessions, losses and calibration of both, a JSON object; else empty", null=True),
    key("origin", "number"),
    comment="What happened to versions of the models, of which follows who serves; no row is ever changed",
)

shadow_forecasts = Table(
    "shadow_forecasts",
    METADATA,
    session("The trading day forecast"),
    symbol(),
    label(),
    column("model_id", Text, "The version that said it and does not serve, see models"),
    probability("probability", "P(label is 1), as it would have been forecast"),
    instant("made_at", "When it was made"),
    key("session", "symbol", "label", "model_id"),
    comment="What versions that do not serve say beside the one that does; nothing is ever decided by it",
    sqlite_with_rowid=False,
)

feature_drift = Table(
    "feature_drift",
    METADATA,
    session("The trading day decided"),
    column("model_id", Text, "The version that spoke, see models"),
    column("drift_index", Double, "Population stability index of its last 30 sessions, mean over features"),
    column("most_usual", Double, "The largest that 30 sessions of what the version learnt from had"),
    column("furthest", Json, "The features that moved most, a JSON list, the furthest first"),
    instant("watched_at", "When it was worked out"),
    key("session"),
    comment="Whether the features still look as they did when the version was trained, after each decision",
)

forecast_drift = Table(
    "forecast_drift",
    METADATA,
    session("The trading day decided"),
    label(),
    column("model_id", Text, "The version that spoke, see models"),
    column("distance", Double, "Largest difference of shares between the last 30 sessions and the version's own"),
    column("limit_distance", Double, "What chance exceeds once in drift.false_alarm_sessions"),
    instant("watched_at", "When it was worked out"),
    key("session", "label"),
    comment="Whether forecasts still look as what the version that spoke had forecast out of sample when it was made",
)

live_loss = Table(
    "live_loss",
    METADATA,
    session("The newest trading day whose outcome is known and counted"),
    label(),
    column("sessions", Integer, "Trading days counted, from the first live forecast on", check=COUNT),
    column("excess", Double, "Log loss beyond what the forecasts expected, mean of the last 60, nats"),
    column("level", Double, "Evidence that it is not just luck: without a fault it takes as many days to get there"),
    column("alarm_level", Double, "The level that is watched for"),
    column("alarm", Flag, "1: it was reached since the row before", check=FLAG),
    instant("watched_at", "When it was worked out"),
    key("session", "label"),
    comment="Whether live forecasts lose more than they said they would, after each settlement",
)
