"""A market that was made up is read, forecast and found out like a real one."""

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from daemon.backtests.backtest import backtest
from daemon.config.settings import load_settings
from daemon.errors import DaemonError
from daemon.services import Services
from daemon.synthetic.simulate import simulate
from ensemble.evaluation.scored import scored_labels
from ensemble.evaluation.synthetic import SyntheticOptions, simulate_market
from ensemble.evaluation.synthetic.bound import recover
from storage.engine import reading
from storage.outcome_store import read_scored

ServicesAt = Callable[..., AbstractContextManager[Services]]
PROGRAM = Path(sys.executable).with_name("reliance-daemon")
OPTIONS = SyntheticOptions(auc=0.8, years=3, symbols=3, seed=2)
SMALL = """
[ensemble]
min_sessions = 400
stack = { combine = "mean", train_months = 1, gate_months = 1 }
members = [{ preset = "logit", penalty = 300 }]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("market")
    simulate(OPTIONS, folder)
    return folder


@pytest.mark.slow
def test_the_market_is_forecast_from_its_files_and_its_signal_found(folder: Path, services_at: ServicesAt) -> None:
    with (folder / "config.toml").open("a") as config:
        config.write(SMALL)
    first, last = date(2021, 11, 1), date(2021, 12, 31)
    with services_at(folder, "2022-01-15 20:00") as services:
        backtest(services, first=first, last=last)
        with reading(services.engine) as conn:
            rows = read_scored(conn, "backtest", first=first, last=last)
    market = simulate_market(OPTIONS)
    for label, scored in scored_labels(rows, services.settings.risk).items():
        if label == "barrier":
            continue
        found = recover(scored, market)
        assert found.share > 0.5
        assert not found.beyond


def test_the_oracles_file_scored_against_the_bars_files_has_the_auc_that_is_reported(tmp_path: Path) -> None:
    written = simulate(OPTIONS, tmp_path / "market")
    oracle = pd.read_csv(tmp_path / "market" / "oracle.csv")
    assert list(oracle.columns) == ["session", "symbol", "label", "probability"]
    bars = pd.read_csv(tmp_path / "market" / "bars" / "SYN002.NS.csv", index_col="Date")
    up = (bars["Close"] > bars["Open"]).astype(float)
    rows = oracle[(oracle["symbol"] == "SYN002.NS") & (oracle["label"] == "open_to_close")]
    assert list(rows["session"]) == list(up.index[1:])
    said = rows["probability"].to_numpy()
    assert np.corrcoef(said, up.to_numpy()[1:])[0, 1] > 0.3
    area, error = written.oracle["open_to_close"]
    assert abs(area - OPTIONS.auc) < 3 * error


def test_the_configuration_is_in_order_and_names_the_market(folder: Path) -> None:
    settings = load_settings(folder / "config.toml", {})
    assert settings.market.symbols == ("SYN001.NS", "SYN002.NS", "SYN003.NS")
    assert settings.market.context["XNYS"] == ("GAPLEAD", "DAYLEAD", "^FEARVIX")
    assert settings.feed.files.path == folder / "bars"
    assert settings.market.history_start == OPTIONS.first


def test_what_is_there_already_is_not_written_over(folder: Path) -> None:
    before = (folder / "oracle.csv").read_bytes()
    with pytest.raises(DaemonError, match="not empty; choose a new folder"):
        simulate(OPTIONS, folder)
    assert (folder / "oracle.csv").read_bytes() == before


def test_the_command_writes_the_market_and_says_so_in_json(tmp_path: Path) -> None:
    out = tmp_path / "market"
    words = ["market", "simulate", "--auc", "0.5", "--years", "1", "--symbols", "2", "--seed", "9", "--out", str(out)]
    result = subprocess.run([str(PROGRAM), *words, "--json"], capture_output=True, text=True, timeout=60, check=True)
    said = json.loads(result.stdout)
    assert said["sessions"] == len(pd.read_csv(out / "bars" / "SYN001.NS.csv"))
    assert said["oracle"]["gap"]["auc"] == 0.5
    assert (
        (out / "config.toml").read_text().startswith("# A market made up by `reliance-daemon market simulate --auc 0.5")
    )
