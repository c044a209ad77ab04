"""What must be equal of two databases, one of which was disturbed."""

COMPARED = (
    *("forecasts", "member_forecasts", "signals", "features", "outcomes", "bars", "runs"),
    *("account", "account_events", "trades", "positions"),
    *("model_events", "shadow_forecasts", "live_loss", "feature_drift", "forecast_drift"),
)
WHEN = (
    *("decided_at", "resolved_at", "started_at", "finished_at", "bars_known_at", "seen_at"),
    *("at", "made_at", "watched_at"),
)
"""Columns that only say when something was written."""
