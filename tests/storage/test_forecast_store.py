from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Connection, Engine, select

from ensemble.forecasts import Forecast, MemberForecast
from storage.engine import StoreError, reading, transaction
from storage.forecast_store import (
    read_features_digest,
    read_forecasts,
    read_member_forecasts,
    write_features_digests,
    write_forecasts,
    write_member_forecasts,
)
from storage.tables import Origin, forecasts

FRIDAY, MONDAY = date(2021, 10, 1), date(2021, 10, 4)
DECIDED = datetime(2021, 10, 1, 3, 15, tzinfo=UTC)
FORECAST = Forecast(FRIDAY, "RELIANCE.NS", "gap", 0.71, 0.69, "stack", "model-1", "abc")
MEMBER = MemberForecast(FRIDAY, "RELIANCE.NS", "gap", "logit", 0.7, "model-1")


def write(conn: Connection, *made: Forecast, origin: Origin = "live", late: bool = False) -> None:
    write_forecasts(conn, origin, made, decided_at=DECIDED, late=late, code_version="0.1.0")


def test_forecasts_come_back_by_session_symbol_label_and_origin(conn: Connection) -> None:
    write(conn, replace(FORECAST, session=MONDAY), FORECAST, replace(FORECAST, symbol="ITC.NS", label="barrier"))
    write(conn, replace(FORECAST, probability=0.6), origin="backtest", late=True)
    frame = read_forecasts(conn, first=FRIDAY, last=MONDAY)
    assert list(frame.columns[:5]) == ["session", "symbol", "label", "probability", "origin"]
    assert frame["session"].dtype == np.dtype("datetime64[us]")
    assert [tuple(row) for row in frame.iloc[:, :5].itertuples(index=False)] == [
        (pd.Timestamp(FRIDAY), "ITC.NS", "barrier", 0.71, "live"),
        (pd.Timestamp(FRIDAY), "RELIANCE.NS", "gap", 0.6, "backtest"),
        (pd.Timestamp(FRIDAY), "RELIANCE.NS", "gap", 0.71, "live"),
        (pd.Timestamp(MONDAY), "RELIANCE.NS", "gap", 0.71, "live"),
    ]


def test_a_forecast_points_at_its_model_data_code_and_time(conn: Connection) -> None:
    write(conn, replace(FORECAST, probability_low=0.68, probability_high=0.72), late=True)
    row = read_forecasts(conn, first=FRIDAY, last=FRIDAY).iloc[0]
    assert row.iloc[5:].to_dict() == {
        "probability_mean": 0.69,
        "method": "stack",
        "model_id": "model-1",
        "data_digest": "abc",
        "code_version": "0.1.0",
        "decided_at": "2021-10-01T03:15:00Z",
        "late": 1,
        "probability_low": 0.68,
        "probability_high": 0.72,
    }


def test_a_forecast_without_an_interval_has_none(conn: Connection) -> None:
    write(conn, FORECAST)
    frame = read_forecasts(conn, first=FRIDAY, last=FRIDAY)
    assert frame[["probability_low", "probability_high"]].isna().to_numpy().all()
    assert frame["probability_low"].dtype == np.float64


@pytest.mark.parametrize(("low", "high"), [(0.7, 0.6), (-0.1, 0.6), (0.6, 1.1), (0.6, float("inf"))])
def test_what_is_no_interval_is_refused(store: Engine, low: float, high: float) -> None:
    with pytest.raises(StoreError, match="refused a row"), transaction(store) as conn:
        write(conn, replace(FORECAST, probability_low=low, probability_high=high))


def test_forecasts_are_chosen_by_session_label_and_symbol(conn: Connection) -> None:
    for session in (FRIDAY, MONDAY):
        for symbol in ("A", "B"):
            write(
                conn, *(replace(FORECAST, session=session, symbol=symbol, label=label) for label in ("gap", "barrier"))
            )
    assert len(read_forecasts(conn, first=FRIDAY, last=MONDAY)) == 8
    assert len(read_forecasts(conn, first=MONDAY, last=MONDAY)) == 4
    assert len(read_forecasts(conn, first=FRIDAY, last=MONDAY, label="gap")) == 4
    assert len(read_forecasts(conn, first=FRIDAY, last=MONDAY, symbols=["B"])) == 4
    assert len(read_forecasts(conn, first=FRIDAY, last=MONDAY, symbols=[])) == 0


def test_no_forecasts_are_a_frame_with_the_same_columns(conn: Connection) -> None:
    empty = read_forecasts(conn, first=FRIDAY, last=MONDAY)
    write(conn, FORECAST)
    full = read_forecasts(conn, first=FRIDAY, last=MONDAY)
    assert list(empty.columns) == list(full.columns)
    assert empty["session"].dtype == full["session"].dtype


def test_a_forecast_is_made_once(store: Engine) -> None:
    with transaction(store) as conn:
        write(conn, FORECAST)
    with pytest.raises(StoreError, match="refused a row"), transaction(store) as conn:
        write(conn, replace(FORECAST, session=MONDAY), replace(FORECAST, probability=0.1))
    with reading(store) as conn:
        assert conn.scalars(select(forecasts.c.probability)).all() == [0.71]


@pytest.mark.parametrize("probability", [-0.01, 1.01, float("nan"), float("inf")])
def test_what_is_no_probability_is_refused(store: Engine, probability: float) -> None:
    with pytest.raises(StoreError, match="refused a row"), transaction(store) as conn:
        write(conn, replace(FORECAST, probability=probability))
    with pytest.raises(StoreError, match="refused a row"), transaction(store) as conn:
        write_member_forecasts(conn, "live", [replace(MEMBER, probability=probability)])


def test_a_session_may_be_given_as_a_timestamp(conn: Connection) -> None:
    write(conn, replace(FORECAST, session=pd.Timestamp(FRIDAY)))
    assert conn.scalars(select(forecasts.c.session)).all() == [FRIDAY]
    assert len(read_forecasts(conn, first=pd.Timestamp(FRIDAY), last=pd.Timestamp(FRIDAY))) == 1


def test_what_each_member_said_is_kept(conn: Connection) -> None:
    write_member_forecasts(conn, "live", [MEMBER, replace(MEMBER, member="lightgbm", probability=0.4)])
    write_member_forecasts(conn, "backtest", [MEMBER])
    write_member_forecasts(conn, "live", [])
    frame = read_member_forecasts(conn, first=FRIDAY, last=MONDAY, label="gap")
    assert list(frame.columns) == ["session", "symbol", "label", "probability", "origin", "member", "model_id"]
    said = list(frame[["origin", "member", "probability"]].itertuples(index=False, name=None))
    assert said == [("backtest", "logit", 0.7), ("live", "lightgbm", 0.4), ("live", "logit", 0.7)]


def test_the_features_of_a_decision_leave_their_fingerprint(conn: Connection) -> None:
    write_features_digests(conn, "live", {FRIDAY: "abc"}, column_count=40)
    assert read_features_digest(conn, "live", FRIDAY) == "abc"
    assert read_features_digest(conn, "backtest", FRIDAY) is None
