"""A series that is looked at and does not come, or stops coming, degrades a forecast and stops nothing."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import text

from daemon.bars.context_age import silent_context
from daemon.config.settings import Settings
from daemon.services import Services
from daemon.sessions.reconcile import reconcile
from storage.engine import reading

ServicesAt = Callable[..., AbstractContextManager[Services]]


def without(folder: Path, symbol: str, since: str) -> None:
    """The feed gives no bar of `symbol` from `since` on; of one without any older bar it knows nothing at all."""
    path = folder / "bars" / f"{symbol}.csv"
    bars = pd.read_csv(path)
    left = bars[bars["Date"] < since]
    if left.empty:
        path.unlink()
    else:
        left.to_csv(path, index=False)


@pytest.mark.parametrize(
    ("symbol", "since", "told"),
    [("ETF", "2018-01-01", "ETF: no bar"), ("^INDEX", "2021-09-10", "^INDEX since 2021-09-09")],
)
def test_without_a_context_series_every_label_is_forecast_all_the_same(
    tmp_path: Path,
    write_installation: Callable[[Path], Path],
    services_at: ServicesAt,
    lines: list[str],
    symbol: str,
    since: str,
    told: str,
) -> None:
    folder = write_installation(tmp_path / "installation")
    without(folder, symbol, since)
    with services_at(folder, "2021-10-05 08:50") as services:
        reconcile(services)
        with reading(services.engine) as conn:
            forecasts = conn.execute(text("SELECT symbol, probability FROM forecasts")).all()
    assert len(forecasts) == 8
    assert all(0 < probability < 1 for _, probability in forecasts)
    assert f"context unknown to the forecasts: {told} (docs/universe.md)" in lines


def test_a_series_is_silent_once_the_features_do_not_take_it_for_known_any_more() -> None:
    settings = Settings.model_validate({"market": {"context": {"XNYS": ["EPI", "VWO"]}}})
    last = pd.Timestamp("2021-10-01")  # known from 21:00Z on: the close at four in New York, and an hour
    newest = {"EPI": last, "VWO": pd.Timestamp("2021-10-12")}
    assert silent_context(newest, settings, datetime(2021, 10, 13, 21, 0, tzinfo=UTC)) == []
    assert silent_context(newest, settings, datetime(2021, 10, 13, 21, 1, tzinfo=UTC)) == ["EPI since 2021-10-01"]
    assert silent_context({"VWO": last}, settings, datetime(2021, 10, 2, tzinfo=UTC)) == ["EPI: no bar"]
