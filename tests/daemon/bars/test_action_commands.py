"""`bars show` and `bars actions`: what is stored, and whether prices went on over each action."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from daemon.cli import app
from daemon.services import Services
from storage.action_store import write_actions
from storage.engine import transaction

ServicesAt = Callable[..., AbstractContextManager[Services]]
NOW = datetime(2021, 10, 5, tzinfo=UTC)


def call(folder: Path, *words: str) -> str:
    arguments = ["--config", str(folder / "config.toml"), "bars", *words]
    return CliRunner().invoke(app, arguments, catch_exceptions=False).stdout


def told(session: str, dividend: float, split: float) -> pd.DataFrame:
    index = pd.DatetimeIndex([session], name="session").as_unit("us")
    return pd.DataFrame({"dividend": dividend, "split": split}, index=index)


@pytest.fixture
def acted(copy: Path, services_at: ServicesAt) -> Path:
    """An installation to which was told a split that is no step, a dividend of most of the price, one of no bar."""
    with services_at(copy, "2021-10-05 20:00") as services, transaction(services.engine) as conn:
        for symbol, action in (
            ("AAA.NS", told("2021-09-29", 0.0, 2.0)),
            ("AAA.NS", told("2021-10-02", 1.0, 1.0)),
            ("BBB.NS", told("2021-09-30", 50.0, 1.0)),
        ):
            write_actions(conn, symbol, action, seen_at=NOW, provider="files")
    return copy


def test_actions_are_listed_with_the_moves_over_them(acted: Path) -> None:
    split, unknown, dividend = json.loads(call(acted, "actions", "--json"))
    assert (split["symbol"], split["session"], split["kind"], split["value"]) == ("AAA.NS", "2021-09-29", "split", 2.0)
    assert (split["explained_pct"], split["broken"]) == (0.0, False)
    assert split["rest_pct"] == pytest.approx(split["move_pct"])
    assert (unknown["move_pct"], unknown["broken"]) == (None, False)
    assert dividend["explained_pct"] < -20
    assert dividend["broken"]
    assert dividend["rest_pct"] > dividend["limit_pct"] > 5


def test_actions_of_one_symbol_are_those_of_that_symbol(acted: Path) -> None:
    assert {one["symbol"] for one in json.loads(call(acted, "actions", "BBB.NS", "--json"))} == {"BBB.NS"}


def test_what_is_broken_is_told_in_words(acted: Path) -> None:
    lines = call(acted, "actions").splitlines()
    assert [line.split()[0] for line in lines if "BROKEN" in line] == ["BBB.NS"]
    assert ["2021-10-02" in line for line in lines if "no bar" in line] == [True]
    assert lines[-1].startswith("1 moved farther over the ex-date than it explains")


def test_the_demergers_of_the_table_are_listed_until_somebody_states_another(copy: Path) -> None:
    config = copy / "config.toml"
    config.write_text(config.read_text().replace("[market]\n", '[market]\ndemergers = "own.csv"\n'))
    (copy / "own.csv").write_text(
        "symbol,session,value,close_before\nAAA.NS,2021-09-29,25,100\nZZZ.NS,2021-09-29,1,2\n"
    )
    (listed,) = json.loads(call(copy, "actions", "--json"))
    said = [listed[name] for name in ("symbol", "kind", "value", "provider")]
    assert said == ["AAA.NS", "demerger", 0.25, "listed"]
    assert (listed["explained_pct"], listed["broken"]) == (pytest.approx(-25), True)
    call(copy, "state", "AAA.NS", "2021-09-29", "demerger", "0.01")
    (stated,) = json.loads(call(copy, "actions", "--json"))
    assert (stated["value"], stated["provider"], stated["broken"]) == (0.01, "stated", False)
    assert call(copy, "state", "AAA.NS", "2021-09-29", "demerger", "none").strip() == (
        "demerger of AAA.NS on 2021-09-29 is known no more from now on"
    )
    assert json.loads(call(copy, "actions", "--json")) == [listed]
    assert "was never stated" in call(copy, "state", "AAA.NS", "2021-09-29", "demerger", "none")


def test_without_actions_a_line_says_so(copy: Path) -> None:
    assert call(copy, "actions").strip() == "no action is stored"
    assert json.loads(call(copy, "actions", "--json")) == []


def test_bars_are_shown_from_and_to_a_session(copy: Path) -> None:
    shown = json.loads(call(copy, "show", "AAA.NS", "--from", "2021-09-29", "--to", "2021-10-01", "--json"))
    assert [bar["session"] for bar in shown] == ["2021-09-29", "2021-09-30", "2021-10-01"]
    assert set(shown[0]) == {"session", "open", "high", "low", "close", "adj_close", "volume"}
    assert len(json.loads(call(copy, "show", "AAA.NS", "--json"))) > 500
    assert "2021-09-30" in call(copy, "show", "AAA.NS", "--from", "2021-09-29")
