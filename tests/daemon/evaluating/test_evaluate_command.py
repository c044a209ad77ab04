"""What `evaluate` prints, and what a script reads from it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pandas as pd
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, text
from typer.testing import CliRunner

import storage.migrations
from daemon.cli import app
from daemon.errors import AlreadyRunning, DaemonError
from daemon.instance import only_instance
from ensemble.forecasts import Forecast, MemberForecast
from ensemble.sessions import load_calendar
from storage.bar_store import write_bars
from storage.engine import OldSchema, open_store, transaction
from storage.forecast_store import write_forecasts, write_member_forecasts
from storage.outcome_store import write_outcomes

CONFIG = """
[market]
symbols = ["AAA.NS"]
peers = ["BBB.NS"]
context = { XNSE = ["^INDEX"] }
history_start = 2019-01-01
[feed]
provider = "files"
files = { path = "bars" }
[signals]
label = "gap"
min_confidence = 0.6
"""
CALENDAR = load_calendar("XNSE", first=date(2019, 1, 1), last=date(2020, 12, 31))
SESSIONS = CALENDAR.between(date(2020, 1, 1), date(2020, 12, 31))
RANGE = ("--from", "2020-01-01", "--to", "2020-12-31")
SAID = ("gap", "close_to_close")
NOW = datetime(2021, 1, 4, tzinfo=UTC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A year of stored forecasts of two symbols: gap is planted, close_to_close always says up."""
    folder = tmp_path_factory.mktemp("stored")
    (folder / "config.toml").write_text(CONFIG)
    random = np.random.default_rng(1)
    with writing(folder) as conn:
        for symbol in ("AAA.NS", "BBB.NS"):
            write_bars(conn, symbol, walk(random), seen_at=NOW, provider="files")
            write_year(conn, symbol, random)
    return folder


@contextmanager
def writing(folder: Path) -> Iterator[Connection]:
    engine = open_store(f"sqlite:///{folder}/state/signals.db")
    with transaction(engine) as conn:
        yield conn
    engine.dispose()


def walk(random: np.random.Generator) -> pd.DataFrame:
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.01, len(CALENDAR.sessions))))
    prices = {"open": close * 0.999, "high": close * 1.01, "low": close * 0.99, "close": close, "adj_close": close}
    return pd.DataFrame(prices | {"volume": 1.0}, index=CALENDAR.sessions)


def write_year(conn: Connection, symbol: str, random: np.random.Generator) -> None:
    said = {"gap": random.beta(2, 2, len(SESSIONS)), "close_to_close": random.uniform(0.51, 0.55, len(SESSIONS))}
    came = {"gap": random.random(len(SESSIONS)) < said["gap"], "close_to_close": np.arange(len(SESSIONS)) % 2}
    forecasts, members, outcomes = [], [], []
    for label, probabilities in said.items():
        for session, p, outcome in zip(SESSIONS.date, probabilities.tolist(), came[label], strict=True):
            forecasts.append(Forecast(session, symbol, label, p, p, "mean", "model-1", "abc"))
            members.append(MemberForecast(session, symbol, label, "logit", p, "model-1"))
            outcomes.append((pd.Timestamp(session), symbol, label, float(outcome)))
    write_forecasts(conn, "backtest", forecasts, decided_at=NOW, late=False, code_version="0.1.0")
    write_member_forecasts(conn, "backtest", members)
    frame = pd.DataFrame(outcomes, columns=["session", "symbol", "label", "outcome"])
    write_outcomes(conn, frame, resolved_at=NOW)


def invoke(folder: Path, *arguments: str) -> Any:
    return CliRunner().invoke(app, ["--config", str(folder / "config.toml"), "evaluate", *arguments])


def call(folder: Path, *arguments: str) -> str:
    result = invoke(folder, *arguments)
    assert result.exit_code == 0, result.output + repr(result.exception)
    return str(result.stdout)


def read(folder: Path, *arguments: str) -> Any:
    return json.loads(call(folder, *arguments, "--json"), parse_constant=pytest.fail)


@pytest.fixture(scope="module")
def lines(folder: Path) -> list[str]:
    """The card as a pipe gets it."""
    return call(folder, *RANGE).splitlines()


@pytest.fixture(scope="module")
def labels(folder: Path) -> Any:
    """What a script gets of each label."""
    return read(folder, *RANGE)["labels"]


def test_the_card_begins_with_a_verdict_on_each_label(lines: list[str]) -> None:
    assert lines[0].startswith("Report card of the backtest forecasts, 2020-01-01 to 2020-12-31: AAA.NS, BBB.NS.")
    assert lines[1].startswith("gap: EDGE, AUC 0.")
    assert any(line.startswith("close_to_close: DEGENERATE, it always says up;") for line in lines)
    assert any("given 2 labels looked at and 1 configuration in the ledger" in line for line in lines)


def test_a_degenerate_model_gets_no_f1(labels: Any, lines: list[str]) -> None:
    assert labels["close_to_close"]["scores"]["f1"] is None
    assert labels["gap"]["scores"]["f1"]["value"] > 0.5
    for part in (labels["close_to_close"]["targets"], labels["close_to_close"]["confident"]["targets"]):
        assert [one["estimate"] for one in part if one["target"]["score"] == "F1"] == [None]
    rows = [line for line in lines if line.startswith("close_to_close")]
    assert sum("degenerate" in row for row in rows) == 3  # among the ups, and twice among what was asked for


def test_the_card_says_where_in_the_session_each_labels_edge_lay(folder: Path, lines: list[str]) -> None:
    found = read(folder, *RANGE)["edges"]
    asked = [(one["label"], len(one["symbols"]), one["min_confidence"]) for one in found]
    assert asked == [(label, stocks, level) for label in SAID for stocks in (2, 1) for level in (0.5, 0.6)]
    # The walk opens 10 bp below the close: what always says up gains that after the open.
    always_up = next(one for one in found if one["label"] == "close_to_close")
    assert always_up["after_open"]["value"] == pytest.approx(1e4 * np.log(1 / 0.999))
    assert any(line.startswith("Where the edge lies") for line in lines)
    assert [one["label"] for one in read(folder, *RANGE, "--label", "gap", "--symbol", "AAA.NS")["edges"]] == [
        "gap"
    ] * 2


def test_the_simple_members_stand_beside_the_ensemble(labels: Any) -> None:
    rivals = labels["gap"]["rivals"]
    assert [rival["name"] for rival in rivals][-1] == "logit"
    assert rivals[0]["log_loss"] is None


def test_one_label_is_shown_and_judged_together_with_the_others(folder: Path) -> None:
    shown = read(folder, *RANGE, "--label", "gap")["labels"]
    assert list(shown) == ["gap"]
    assert shown["gap"]["verdict"]["labels"] == 2


def test_one_symbol_is_shown_alone_and_part_by_part(folder: Path) -> None:
    found = read(folder, *RANGE, "--symbol", "BBB.NS", "--by", "symbol")
    assert found["symbols"] == ["BBB.NS"]
    assert [(one["label"], one["name"]) for one in found["by_symbol"]] == [
        ("gap", "BBB.NS"),
        ("close_to_close", "BBB.NS"),
    ]
    assert "By year" in call(folder, *RANGE, "--by", "year")


def test_the_thresholds_are_those_of_what_is_traded_with_the_configured_one_marked(folder: Path) -> None:
    shown = call(folder, *RANGE, "--thresholds")
    assert "Thresholds for gap of AAA.NS, 2020-01-01 to 2020-12-31" in shown
    assert "* 0.60" in shown
    assert "the charges of XNSE by date and 5 bp of slippage a side" in " ".join(shown.split())
    found = read(folder, *RANGE, "--thresholds", "--symbol", "BBB.NS", "--label", "close_to_close")
    assert (found["label"], found["symbols"]) == ("close_to_close", "BBB.NS")
    assert [one["threshold"] for one in found["thresholds"]] == [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8]
    assert found["thresholds"][0]["signals"] == len(SESSIONS)


def test_with_another_gate_no_threshold_is_the_configured_one_and_what_trades_is_named(
    folder: Path, tmp_path: Path
) -> None:
    own = Path(copytree(folder, tmp_path / "own"))
    (own / "config.toml").write_text(CONFIG + 'gate = "coverage"\nmax_disagreement = 0.5\n')
    shown = " ".join(call(own, *RANGE, "--thresholds").split())
    assert "* is configured" not in shown
    assert "* 0.60" not in shown
    assert 'What trades is signals.gate = "coverage", which is no threshold of the confidence' in shown
    assert "signals.max_disagreement holds nothing here" in shown
    found, plain = (read(one, *RANGE, "--thresholds") for one in (own, folder))
    assert found["thresholds"] == plain["thresholds"]
    assert (found["gate"], plain["gate"]) == ("coverage", "confidence")
    assert (len(found["notes"]), len(plain["notes"])) == (2, 0)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ("--from", "2018-01-01", "--to", "2018-12-31"),
            "no backtest forecasts are stored from 2018-01-01 to 2018-12-31; "
            "`reliance-daemon backtest --from 2018-01-01 --to 2018-12-31` makes them.",
        ),
        (
            (*RANGE, "--origin", "live"),
            "no live forecasts are stored from 2020-01-01 to 2020-12-31; the daemon makes one",
        ),
        ((*RANGE, "--symbol", "AAA"), '--symbol was "AAA"; there are forecasts for AAA.NS, BBB.NS.'),
        ((*RANGE, "--label", "barrier"), "no outcome of barrier is known from 2020-01-01 to 2020-12-31"),
        ((*RANGE, "--open-holdout"), "evaluation.holdout_from is not set"),
    ],
)
def test_what_can_not_be_answered_is_one_line_that_says_what_to_do(
    folder: Path, arguments: tuple[str, ...], line: str
) -> None:
    result = invoke(folder, *arguments)
    assert result.exit_code == 1
    assert isinstance(result.exception, DaemonError)
    assert str(result.exception).startswith(line)
    assert "\n" not in str(result.exception)


def test_a_range_has_to_be_given() -> None:
    result = CliRunner().invoke(app, ["evaluate"])
    assert result.exit_code == 2
    assert "give --from DATE and --to DATE" in " ".join(result.output.split())


def test_held_out_sessions_are_seen_once_by_a_declared_experiment(folder: Path, tmp_path: Path) -> None:
    own = Path(copytree(folder, tmp_path / "own"))
    held_out = '\n[evaluation]\nholdout_from = 2020-07-01\nexperiment = "first"\n'
    (own / "config.toml").write_text(CONFIG + held_out)
    before = read(own, *RANGE)
    assert before["last_session"] == "2020-06-30"
    assert before["held_back_sessions"] == int((pd.Timestamp("2020-07-01") <= SESSIONS).sum())
    assert "are held out and were not looked at" in call(own, *RANGE, "--thresholds")
    opened = read(own, *RANGE, "--open-holdout")
    assert (opened["last_session"], opened["held_back_sessions"]) == ("2020-12-31", 0)
    assert opened["holdout_opening"]["experiment"] == "first"
    again = call(own, *RANGE, "--open-holdout", "--thresholds")
    assert 'opened for experiment "first"' in " ".join(again.split())
    with writing(own) as conn:
        conn.execute(text("UPDATE forecasts SET probability = 0.9 WHERE session > '2020-12-01'"))
    refused = invoke(own, *RANGE, "--open-holdout")
    assert refused.exit_code == 1
    assert "first" in str(refused.exception)
    only_held_out = invoke(own, "--from", "2020-08-01", "--to", "2020-12-31")
    assert "sessions from 2020-08-01 to 2020-12-31 are held out" in str(only_held_out.exception)


@pytest.fixture
def old(folder: Path, tmp_path: Path) -> Path:
    """The same as an earlier version left it."""
    own, kept = tmp_path / "own", ("bars", "forecasts", "member_forecasts", "outcomes")
    (own / "state").mkdir(parents=True)
    (own / "config.toml").write_text(CONFIG)
    engine = create_engine(f"sqlite:///{own}/state/signals.db")
    with engine.begin() as conn:
        config = Config(attributes={"connection": conn})
        config.set_main_option("script_location", str(Path(storage.migrations.__file__).parent))
        config.set_main_option("path_separator", "os")
        command.upgrade(config, "0002")
    with engine.connect() as conn:
        conn.execute(text("ATTACH :stored AS stored"), {"stored": f"{folder}/state/signals.db"})
        for table in kept:
            names = ", ".join(conn.execute(text(f"SELECT name FROM main.pragma_table_info('{table}')")).scalars())
            conn.execute(text(f"INSERT INTO main.{table} ({names}) SELECT {names} FROM stored.{table}"))
        conn.commit()
    engine.dispose()
    return own


def test_a_database_of_an_earlier_schema_is_brought_up_to_date(old: Path) -> None:
    assert "Thresholds for gap" in call(old, *RANGE, "--thresholds")
    with only_instance(old / "state"):  # nothing is left to bring up to date, so no lock is needed
        assert "Thresholds for gap" in call(old, *RANGE, "--thresholds")


def test_what_another_instance_works_on_is_not_brought_up_to_date(old: Path) -> None:
    with only_instance(old / "state"):
        refused = invoke(old, *RANGE)
    assert isinstance(refused.exception, AlreadyRunning)
    assert refused.exception.exit_code == 75
    with pytest.raises(OldSchema):
        open_store(f"sqlite:///{old}/state/signals.db", read_only=True)


def test_late_forecasts_count_for_nothing(folder: Path, tmp_path: Path) -> None:
    own = Path(copytree(folder, tmp_path / "own"))
    with writing(own) as conn:
        conn.execute(text("UPDATE forecasts SET late = 1 WHERE symbol = 'BBB.NS'"))
    refused = invoke(own, *RANGE, "--symbol", "BBB.NS")
    assert str(refused.exception) == '--symbol was "BBB.NS"; there are forecasts for AAA.NS.'


def test_the_published_table_is_explained_in_words(folder: Path) -> None:
    shown = " ".join(call(folder, "--explain-protocol").split())
    for expected in (
        "come from 28 rows, 16 of them up",
        "57.14 % / F1 .7273 is a constant: it always says up, so its recall is 1 and its F1 of 0.7273",
        "right 16 times in 28 or more in 29 % of cases; the best of 3 coins in 64 %",
        "Every interval holds a coin's accuracy and AUC",
    ):
        assert expected in shown


def test_the_explanation_is_the_same_for_a_script(folder: Path) -> None:
    found = read(folder, "--explain-protocol")
    assert (found["rows"], found["ups"]) == (28, 16)
    best = found["lines"][0]
    assert best["constant"] == "always up"
    assert best["f1"] == pytest.approx(0.7273, abs=5e-5)
    assert best["best_coin_is_right"] == pytest.approx(0.636, abs=1e-3)
