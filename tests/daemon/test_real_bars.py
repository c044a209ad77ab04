"""The daemon on real bars with their faults: RELIANCE and its neighbourhood, where they lie beside the checkout."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import text

from daemon.backtests.backtest import backtest
from daemon.bars.ingest import ingest
from daemon.services import Services
from daemon.sessions.desk import home_calendar, open_desk
from daemon.sessions.reconcile import reconcile
from storage.engine import reading

ServicesAt = Callable[..., AbstractContextManager[Services]]

# The shipped symbols, peers and context; small members, so that it takes minutes.
CONFIG = """
[feed]
provider = "files"
files = {{ path = "{folder}" }}

[ensemble]
window_years = 4
stack = {{ train_months = 2, gate_months = 2 }}
members = [
  {{ preset = "baseline", units = [16], max_epochs = 3 }},
  {{ preset = "logit" }},
  {{ preset = "lightgbm", rounds = 30 }},
]
"""


@pytest.fixture
def installation(market_folder: Path, tmp_path: Path) -> Path:
    (tmp_path / "config.toml").write_text(CONFIG.format(folder=market_folder))
    return tmp_path


def test_the_whole_neighbourhood_is_read_and_only_false_bars_are_refused(
    installation: Path, services_at: ServicesAt
) -> None:
    with services_at(installation, "2021-12-31 20:00") as services:
        calendar = home_calendar(services.settings, services.clock.now())
        report = ingest(services, calendar)
        assert report.failed == {}
        desk = open_desk(services, calendar, last=calendar.previous(date(2022, 1, 1)))
        with reading(services.engine) as conn:
            refused = conn.execute(text("SELECT symbol, count(*) FROM quarantine GROUP BY symbol")).all()
    assert sum(count for _, count in refused) < 100
    recent = desk.panel.sessions >= pd.Timestamp("2013-01-01")
    assert (desk.panel.bar_age[:, recent] == 1).mean() > 0.98
    unknown = np.isnan(desk.panel.values[:, recent]).mean(axis=(0, 1))
    silent = {name for name, share in zip(desk.panel.features, unknown, strict=True) if share > 0.2}
    # Vendors fill these opens with the previous close, so they say nothing.
    assert {name.split()[0] for name in silent} <= {"^INDIAVIX", "^FTSE", "^N225", "^HSI", "^GDAXI", "INR=X"}


@pytest.mark.slow
def test_a_fortnight_of_reliance_is_forecast_signalled_and_settled(installation: Path, services_at: ServicesAt) -> None:
    with services_at(installation, "2021-12-15 08:50") as services:
        reconcile(services)
    with services_at(installation, "2021-12-31 20:00") as services:
        replayed = backtest(services, first=date(2021, 12, 15), last=date(2021, 12, 30))
        with reading(services.engine) as conn:
            live = conn.execute(text("SELECT symbol, label, probability FROM forecasts WHERE origin = 'live'")).all()
            again = conn.execute(
                text(
                    "SELECT symbol, label, probability FROM forecasts "
                    "WHERE origin = 'backtest' AND session = '2021-12-15'"
                )
            ).all()
            signals = conn.execute(text("SELECT count(*) FROM signals WHERE origin = 'backtest'")).scalar_one()
    assert len(replayed) == signals == 12
    assert len(live) == 7 * 4
    assert live == again
    assert all(0.1 < probability < 0.95 for *_, probability in live)
