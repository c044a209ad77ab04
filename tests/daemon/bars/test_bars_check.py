"""`bars check`: every anomaly of the list beside the real bars is found, and what is found besides is explained."""

import json
from collections import Counter
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from daemon.bars.check import Checked, check_folder
from daemon.cli import app
from daemon.config.settings import Settings
from daemon.errors import DaemonError
from ensemble.validation.findings import JUMP, MISSING
from tests.ensemble.validation.faulty import clean_bars, tick


@pytest.fixture(scope="module")
def checked(market_folder: Path) -> Checked:
    return check_folder(market_folder, Settings(), today=date(2022, 1, 31))


def test_every_listed_anomaly_of_the_real_bars_is_found(checked: Checked) -> None:
    assert len(checked.scores) == 11
    assert {(one.symbol, one.kind): one.missed for one in checked.scores if one.missed} == {}


def test_beside_the_list_only_missing_sessions_and_copied_bars_are_found(checked: Checked) -> None:
    besides = Counter(
        (symbol, one.kind) for symbol, findings in checked.unlisted.items() for one in findings if one.verdict != "kept"
    )
    doubted = besides.pop(("CL=F", "doubted_session"))
    assert doubted > 100  # American holidays, on which the calendar of the exchange has short sessions
    assert besides == {
        ("CL=F", MISSING): 1,  # gold has a bar of it
        ("INR=X", "frozen"): 3,  # equal to the day before in all four prices: two Good Fridays among them
        ("RELIANCE.NS", MISSING): 5,  # special sessions that the list does not know
        ("^NSEI", MISSING): 11,  # of before 2012, where the list begins; stocks traded, or it was Muhurat
    }


def test_of_other_real_series_nothing_of_an_index_or_fund_is_refused(checked: Checked) -> None:
    refused = {
        symbol
        for symbol, findings in checked.findings.items()
        if any(one.verdict == "refused" for one in findings) and not symbol.endswith(".NS")
    }
    assert refused == {"INR=X"}


def test_real_jumps_are_kept_and_told(checked: Checked) -> None:
    jumps = [one for findings in checked.findings.values() for one in findings if one.kind == JUMP]
    assert {one.verdict for one in jumps} == {"kept"}
    assert 10 < len(jumps) < 40


def write_folder(folder: Path) -> pd.Timestamp:
    """Clean bars of one stock with one bad tick, and a list that names it."""
    import numpy as np

    bars = clean_bars(np.random.default_rng(1))
    tick(1.0)(bars, 200, np.random.default_rng(2))
    columns = ["Open", "High", "Low", "Close", "Adj Close", "Volume"]
    bars.set_axis(columns, axis=1).to_csv(folder / "AAA.csv", index_label="Date", date_format="%Y-%m-%d")
    (folder / "ANOMALIES.csv").write_text(f"Symbol,Date,Kind,Detail\nAAA,{bars.index[200]:%Y-%m-%d},bad_tick,\n")
    return pd.Timestamp(bars.index[200])


def test_the_command_tells_the_finding_and_how_it_compares(tmp_path: Path) -> None:
    day = write_folder(tmp_path)
    result = CliRunner().invoke(app, ["bars", "check", str(tmp_path), "--json"], catch_exceptions=False)
    content = json.loads(result.stdout)
    refused = [one for one in content["findings"] if one["verdict"] == "refused"]
    assert [(one["session"], one["kind"]) for one in refused] == [(f"{day:%Y-%m-%d}", "bad_tick")]
    assert content["scores"][0]["recall"] == 1.0
    shown = CliRunner().invoke(app, ["bars", "check", str(tmp_path)], catch_exceptions=False).stdout
    assert "100%" in shown


def test_what_is_no_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DaemonError, match="is no folder"):
        check_folder(tmp_path / "nowhere", Settings(), today=date(2022, 1, 31))
