from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Connection, text

from ensemble.forecasts import Forecast
from ensemble.trading.account import Account, AccountMark, Direction, Position, Settlement
from ensemble.trading.signals import Action, Reason, Signal
from storage.account_store import write_settlement
from storage.forecast_store import write_forecasts
from storage.outcome_store import write_outcomes
from storage.run_store import Run, RunStatus, write_runs
from storage.signal_store import write_signals
from storage.tables import Origin

FRIDAY, MONDAY = date(2021, 10, 1), date(2021, 10, 4)
MORNING = datetime(2021, 10, 1, 3, 15, tzinfo=UTC)
FORECAST = Forecast(FRIDAY, "RELIANCE.NS", "gap", 0.71, 0.69, "stack", "model-1", "abc")
SIGNAL = Signal(
    FRIDAY, "RELIANCE.NS", "gap", Action.BUY, 0.71, 0.71, 40, 2520.5, 2.0, 4.0, (Reason.CONFIDENT,), False, True
)


def rows(conn: Connection, query: str) -> list[dict[str, object]]:
    return [dict(row) for row in conn.execute(text(query)).mappings()]


def forecast(conn: Connection, *made: Forecast, origin: Origin = "live", late: bool = False) -> None:
    write_forecasts(conn, origin, made, decided_at=MORNING, late=late, code_version="0.1.0")


def resolve(conn: Connection, known: dict[tuple[date, str, str], float]) -> None:
    frame = pd.DataFrame(
        [(*key, value) for key, value in known.items()], columns=["session", "symbol", "label", "outcome"]
    )
    write_outcomes(conn, frame.astype({"session": "datetime64[us]"}), resolved_at=MORNING)


def test_the_latest_signals_are_the_live_ones_of_the_newest_session(conn: Connection) -> None:
    write_signals(
        conn,
        "live",
        [SIGNAL, replace(SIGNAL, session=MONDAY), replace(SIGNAL, session=MONDAY, symbol="ITC.NS")],
        decided_at=MORNING,
    )
    write_signals(conn, "backtest", [replace(SIGNAL, session=date(2021, 10, 5))], decided_at=MORNING)
    latest = rows(conn, "SELECT session, symbol FROM v_latest_signals ORDER BY symbol")
    assert latest == [{"session": "2021-10-04", "symbol": symbol} for symbol in ("ITC.NS", "RELIANCE.NS")]


@pytest.mark.parametrize("view", ["v_latest_signals", "v_signal_history"])
def test_a_signal_is_shown_with_the_interval_of_its_own_forecast(conn: Connection, view: str) -> None:
    interval = replace(FORECAST, probability_low=0.68, probability_high=0.72)
    forecast(conn, interval, replace(FORECAST, label="barrier"), replace(interval, session=MONDAY, probability_low=0.1))
    write_signals(conn, "live", [SIGNAL, replace(SIGNAL, symbol="ITC.NS")], decided_at=MORNING)
    shown = rows(conn, f"SELECT symbol, probability_low AS low, probability_high AS high FROM {view} ORDER BY symbol")
    assert shown == [
        {"symbol": "ITC.NS", "low": None, "high": None},
        {"symbol": "RELIANCE.NS", "low": 0.68, "high": 0.72},
    ]


@pytest.mark.parametrize(
    ("probability", "outcome", "right"),
    [(0.71, 1.0, 1), (0.71, 0.0, 0), (0.29, 1.0, 0), (0.29, 0.0, 1), (0.71, None, None), (None, 1.0, None)],
)
def test_the_signal_history_tells_what_came_of_each_forecast(
    conn: Connection, probability: float | None, outcome: float | None, right: int | None
) -> None:
    forecast(conn, FORECAST, replace(FORECAST, label="barrier", method="mean"))
    write_signals(conn, "live", [replace(SIGNAL, probability=probability)], decided_at=MORNING)
    if outcome is not None:
        resolve(conn, {(FRIDAY, "RELIANCE.NS", "gap"): outcome, (FRIDAY, "RELIANCE.NS", "barrier"): 1 - outcome})
    (row,) = rows(conn, "SELECT origin, method, model_id, outcome, was_right FROM v_signal_history")
    assert row == {"origin": "live", "method": "stack", "model_id": "model-1", "outcome": outcome, "was_right": right}


def test_the_signal_history_has_both_origins_each_with_its_own_forecast(conn: Connection) -> None:
    origins: tuple[Origin, ...] = ("live", "backtest")
    for origin in origins:
        forecast(conn, replace(FORECAST, method=f"of {origin}"), origin=origin)
        write_signals(conn, origin, [SIGNAL], decided_at=MORNING)
    history = rows(conn, "SELECT origin, method FROM v_signal_history ORDER BY origin")
    assert history == [{"origin": origin, "method": f"of {origin}"} for origin in sorted(origins)]


def settlement(session: date, equity: float, peak_equity: float, *held: Position) -> Settlement:
    exposure = sum(position.quantity * position.last_close for position in held)
    cash, drawdown_pct = equity - exposure, 100 * (1 - equity / peak_equity)
    mark = AccountMark(session, cash, equity, exposure, len(held), peak_equity, drawdown_pct)
    return Settlement(Account(cash, held, peak_equity), (), mark)


def test_open_positions_are_valued_at_their_last_closes(conn: Connection) -> None:
    held = Position("RELIANCE.NS", 40, FRIDAY, 2500.0, 2450.0, 2600.0, 120.0, 1, 2525.0, FRIDAY, 2499.0)
    write_settlement(conn, "live", settlement(FRIDAY, 1e6, 1e6, held))
    write_settlement(conn, "backtest", settlement(FRIDAY, 1e6, 1e6, replace(held, symbol="ITC.NS")))
    (row,) = rows(conn, "SELECT symbol, market_value, open_profit, return_pct FROM v_open_positions")
    expected = {"symbol": "RELIANCE.NS", "market_value": 101_000.0, "open_profit": 880.0}
    assert row == expected | {"return_pct": pytest.approx(1.0)}


def test_a_short_counts_against_the_worth_and_gains_when_the_price_falls(conn: Connection) -> None:
    held = Position("RELIANCE.NS", 40, FRIDAY, 2500.0, 2550.0, 2400.0, 120.0, 1, 2475.0, FRIDAY, 2501.0)
    short = replace(held, direction=Direction.SHORT, income=-80.0)
    write_settlement(conn, "live", settlement(FRIDAY, 1e6, 1e6, short))
    (row,) = rows(conn, "SELECT direction, market_value, open_profit, return_pct FROM v_open_positions")
    expected = {"direction": "SHORT", "market_value": -99_000.0, "open_profit": 800.0}
    assert row == expected | {"return_pct": pytest.approx(1.0)}


def test_the_equity_changes_from_session_to_session_of_one_origin(conn: Connection) -> None:
    sessions = [FRIDAY, MONDAY, date(2021, 10, 5)]
    equity = pd.Series([1_000_000.0, 980_000.0, 1_010_000.0])
    for session, value, peak in zip(sessions, equity, equity.cummax(), strict=True):
        write_settlement(conn, "live", settlement(session, value, peak))
        write_settlement(conn, "backtest", settlement(session, 500_000.0, 500_000.0))
    shown = pd.DataFrame(rows(conn, "SELECT * FROM v_equity WHERE origin = 'live' ORDER BY session"))
    assert shown["profit"].tolist() == pytest.approx(equity.diff().tolist(), nan_ok=True)
    assert shown["return_pct"].tolist() == pytest.approx((100 * equity.pct_change()).tolist(), nan_ok=True)
    assert shown["drawdown_pct"].tolist() == pytest.approx([0.0, 2.0, 0.0])


def accuracy(conn: Connection) -> dict[str, dict[str, object]]:
    return {str(row.pop("label")): row for row in rows(conn, "SELECT * FROM v_live_accuracy")}


@pytest.mark.parametrize("seed", range(5))
def test_live_accuracy_agrees_with_the_formulas(conn: Connection, seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.uniform(0.05, 0.95, 40)
    y = (rng.uniform(size=40) < 0.3 + 0.1 * seed).astype(float)
    sessions = [day.date() for day in pd.bdate_range("2021-01-04", periods=40)]
    forecast(conn, *(replace(FORECAST, session=day, probability=float(q)) for day, q in zip(sessions, p, strict=True)))
    resolve(conn, {(day, "RELIANCE.NS", "gap"): float(o) for day, o in zip(sessions[:30], y, strict=False)})
    p, y = p[:30], y[:30]
    share = y.mean()
    hits = int(((p >= 0.5) == (y == 1)).sum())
    assert accuracy(conn) == {
        "gap": {
            "forecasts": 40,
            "resolved": 30,
            "hits": hits,
            "accuracy": pytest.approx(hits / 30),
            "base_rate": pytest.approx(max(share, 1 - share)),
            "log_loss": pytest.approx(-np.log(np.where(y == 1, p, 1 - p)).mean()),
            "base_log_loss": pytest.approx(-share * np.log(share) - (1 - share) * np.log(1 - share)),
        }
    }


def test_only_live_forecasts_made_in_time_count(conn: Connection) -> None:
    forecast(conn, FORECAST)
    forecast(conn, replace(FORECAST, session=MONDAY), late=True)
    forecast(conn, replace(FORECAST, symbol="ITC.NS"), origin="backtest")
    assert accuracy(conn)["gap"]["forecasts"] == 1


def test_before_any_outcome_nothing_is_claimed(conn: Connection) -> None:
    forecast(conn, FORECAST)
    unknown = dict.fromkeys(("accuracy", "base_rate", "log_loss", "base_log_loss"))
    assert accuracy(conn) == {"gap": {"forecasts": 1, "resolved": 0, "hits": 0} | unknown}


def test_a_forecast_of_certainty_costs_much_but_not_everything(conn: Connection) -> None:
    forecast(conn, replace(FORECAST, probability=1.0), replace(FORECAST, session=MONDAY, probability=0.0))
    resolve(conn, {(FRIDAY, "RELIANCE.NS", "gap"): 0.0, (MONDAY, "RELIANCE.NS", "gap"): 0.0})
    row = accuracy(conn)["gap"]
    assert row["log_loss"] == pytest.approx(-np.log(1e-6) / 2, rel=1e-6)
    assert (row["accuracy"], row["base_rate"], row["base_log_loss"]) == (0.5, 1.0, 0.0)


def test_run_health_shows_the_last_live_run_of_each_kind_and_its_age(conn: Connection) -> None:
    now = datetime.now(UTC)
    done = Run("live", "decide", FRIDAY, RunStatus.DONE, now - timedelta(hours=30), now - timedelta(hours=26))
    failed = replace(done, session=MONDAY, status=RunStatus.FAILED, finished_at=now - timedelta(hours=2), detail="feed")
    running = Run("live", "settle", MONDAY, RunStatus.RUNNING, now - timedelta(hours=1))
    write_runs(conn, [done, failed, running, replace(done, origin="backtest", kind="retrain")])
    health = {row["kind"]: row for row in rows(conn, "SELECT * FROM v_run_health")}
    assert health.keys() == {"decide", "settle"}
    assert (health["decide"]["status"], health["decide"]["detail"]) == ("failed", "feed")
    assert health["decide"]["last_done_session"] == "2021-10-01"
    assert health["settle"]["last_done_session"] is None
    assert health["decide"]["age_hours"] == pytest.approx(2.0, abs=0.1)
    assert health["settle"]["age_hours"] == pytest.approx(1.0, abs=0.1)
