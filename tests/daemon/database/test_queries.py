"""What docs/queries.md shows runs on a database that was lived with: `db ask`, Datasette, pandas and DuckDB."""

import asyncio
import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal, assert_series_equal
from sqlalchemy import Engine
from typer.testing import CliRunner

from daemon.cli import app
from daemon.services import Services
from daemon.sessions.reconcile import reconcile
from storage.engine import open_store, reading
from storage.queries import ORDER, canned_queries
from tests.postgresql_server import PostgresqlServer

PAGE = (Path(__file__).parents[3] / "docs" / "queries.md").read_text(encoding="utf-8")
QUIET = {"runs-that-failed", "refused-bars", "trades-by-exit", "open-risk"}
"""What a week without trouble need not have rows of; the last two have some on some processors only."""
ServicesAt = Callable[..., AbstractContextManager[Services]]


def ask(folder: Path, *arguments: str) -> str:
    result = CliRunner().invoke(app, ["--config", str(folder / "config.toml"), "db", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("name", ORDER)
def test_every_question_has_an_answer(name: str, lived: Path) -> None:
    rows = json.loads(ask(lived, "ask", name, "--json"))
    assert rows or name in QUIET
    assert ask(lived, "ask", name)


TROUBLE = (
    "UPDATE runs SET status = 'failed', detail = 'no bars' WHERE kind = 'settle' AND session = '2021-10-05'",
    "INSERT INTO quarantine (symbol, session, seen_at, reason, payload) VALUES ('AAA.NS', '2021-10-05', "
    "'2021-10-05T11:00:00Z', 'close below low', '{}')",
    "INSERT OR REPLACE INTO positions VALUES ('live', 'AAA.NS', 40, '2021-10-04', 100.0, 98.0, 104.0, 12.0, 2, 101.0, "
    "'2021-10-05', 99.9, 'LONG', 1.0, 0.0)",
    "INSERT OR REPLACE INTO positions VALUES ('live', 'BBB.NS', 10, '2021-10-04', 100.0, 102.0, 96.0, 12.0, 2, 101.0, "
    "'2021-10-05', 99.9, 'SHORT', 1.0, 0.0)",
    "DELETE FROM trades",
    "INSERT INTO trades VALUES ('live', 'AAA.NS', 40, '2021-09-28', 100.0, '2021-09-29', 98.0, 'STOP', 20.0, -100.0, "
    "'LONG', 0.0)",
)


def test_trouble_is_answered_with_rows(copy: Path) -> None:
    with closing(sqlite3.connect(copy / "state" / "signals.db")) as database:
        for statement in TROUBLE:
            database.execute(statement)
        database.commit()
    (failed,) = json.loads(ask(copy, "ask", "runs-that-failed", "--json"))
    assert (failed["session"], failed["detail"]) == ("2021-10-05", "no bars")
    (refused,) = json.loads(ask(copy, "ask", "refused-bars", "--json"))
    assert refused["reason"] == "close below low"
    risks = json.loads(ask(copy, "ask", "open-risk", "--json"))
    assert {row["symbol"]: row["risk"] for row in risks} == {"AAA.NS": 120.0, "BBB.NS": 10.0}
    (trades,) = json.loads(ask(copy, "ask", "trades-by-exit", "--json"))
    assert (trades["trades"], trades["profit"], trades["winners"]) == (1, -100.0, 0)


@pytest.fixture(scope="module")
def judged(lived: Path) -> pd.DataFrame:
    """Every live forecast made in time whose outcome is known, and whether it was right."""
    with closing(sqlite3.connect(lived / "state" / "signals.db")) as database:
        said = pd.read_sql("SELECT * FROM forecasts WHERE origin = 'live' AND late = 0", database)
        known = pd.read_sql("SELECT session, symbol, label, outcome FROM outcomes", database)
    rows = said.merge(known, on=["session", "symbol", "label"])
    right = (rows["probability"] >= 0.5) == (rows["outcome"] == 1)
    return rows.assign(hit=right.astype(float), month=rows["session"].str[:7])


def test_hit_rates_are_those_that_pandas_counts(judged: pd.DataFrame, lived: Path) -> None:
    said = pd.DataFrame(json.loads(ask(lived, "ask", "hit-rate-by-month", "--json"))).set_index(["month", "label"])
    groups = judged.groupby(["month", "label"])
    ups = groups["outcome"].mean()
    expected = pd.DataFrame(
        {"forecasts": groups.size(), "hit_rate": groups["hit"].mean(), "commoner_side": ups.where(ups > 0.5, 1 - ups)}
    )
    assert_frame_equal(said, expected.loc[said.index], check_dtype=False)
    assert said["forecasts"].sum() == len(judged)


def test_the_bands_of_confidence_hold_the_newest_month(judged: pd.DataFrame, lived: Path) -> None:
    said = pd.DataFrame(json.loads(ask(lived, "ask", "hit-rate-by-confidence", "--json")))
    newest = judged[judged["month"] == judged["month"].max()]
    sure = newest["probability"].where(newest["probability"] >= 0.5, 1 - newest["probability"])
    bands = pd.cut(sure, [0.5, 0.55, 0.6, 0.65, 0.7, 0.8, 1.01], right=False).map(lambda band: f"{band.left:.2f}")
    expected = newest.assign(at_least=bands.astype(str), sure=sure).groupby(["label", "at_least"])
    for name, column in {"claimed": "sure", "hit_rate": "hit"}.items():
        found = said.set_index(["label", "at_least"])[name]
        assert_series_equal(found, expected[column].mean().loc[found.index], check_names=False)
    assert said["forecasts"].sum() == len(newest)


def test_each_member_is_judged_beside_the_ensemble_by_the_forecasts_that_both_made_in_time(copy: Path) -> None:
    late, silent = "2021-09-29", "2021-09-30"
    with closing(sqlite3.connect(copy / "state" / "signals.db")) as database, database:
        database.execute("UPDATE forecasts SET late = 1 WHERE session = ?", (late,))
        database.execute("DELETE FROM member_forecasts WHERE member = 'logit' AND session = ?", (silent,))
        view = database.execute("SELECT label, resolved, log_loss FROM v_live_accuracy WHERE resolved > 0").fetchall()
        judged = "forecasts JOIN outcomes USING (session, symbol, label)"
        of_day = f"SELECT label, COUNT(*) FROM {judged} WHERE session = ? GROUP BY label"
        lost = dict(database.execute(of_day, (silent,)).fetchall())
    rows = {
        (row["label"], row["member"]): row for row in json.loads(ask(copy, "ask", "members-against-ensemble", "--json"))
    }
    for label, resolved, log_loss in view:
        whole = rows[label, "lightgbm"]
        assert (whole["forecasts"], whole["ensemble_log_loss"]) == (resolved, pytest.approx(log_loss))
        part = rows[label, "logit"]
        assert part["forecasts"] == resolved - lost.get(label, 0)
        assert lost.get(label, 0) == 0 or part["ensemble_log_loss"] != pytest.approx(log_loss)
    assert sum(lost.values()) > 0


def test_the_equity_of_a_month_is_that_of_its_last_session(lived: Path) -> None:
    rows = json.loads(ask(lived, "ask", "equity-by-month", "--json"))
    with closing(sqlite3.connect(lived / "state" / "signals.db")) as database:
        equity = pd.read_sql("SELECT session, equity FROM account WHERE origin = 'live' ORDER BY session", database)
    last = equity.groupby(equity["session"].str[:7]).last()
    assert [(row["month"], row["last_session"], row["equity"]) for row in rows] == [
        (month, row["session"], row["equity"]) for month, row in last.iterrows()
    ]
    assert rows[1]["return_pct"] == pytest.approx(100 * (last["equity"].iloc[1] / last["equity"].iloc[0] - 1))


def test_words_of_others_are_shown_as_they_are_and_steer_no_terminal(copy: Path) -> None:
    with closing(sqlite3.connect(copy / "state" / "signals.db")) as database, database:
        words = "[/b] [planned] \x1b[31m"
        database.execute("UPDATE runs SET status = 'failed', detail = ? WHERE session = '2021-10-05'", (words,))
    assert "[/b] [planned] \\x1b[31m" in ask(copy, "ask", "runs-that-failed")


def test_a_question_that_does_not_come_along_is_answered_with_those_that_do(lived: Path) -> None:
    result = CliRunner().invoke(app, ["--config", str(lived / "config.toml"), "db", "ask", "meaning-of-life"])
    assert result.exit_code == 2
    assert "todays-signal" in result.output


SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(
    "snippet", [pytest.param(one, marks=[pytest.mark.slow] if "duckdb" in one else []) for one in SNIPPETS]
)
def test_every_python_example_runs(snippet: str, lived: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if "duckdb" in snippet:
        pytest.importorskip("duckdb")
    exec(snippet, {"DATABASE": lived / "state" / "signals.db"})
    assert len(capsys.readouterr().out.splitlines()) > 1


def test_a_file_for_datasette_that_cannot_be_written_is_told_in_a_line(lived: Path, tmp_path: Path) -> None:
    words = ["--config", str(lived / "config.toml"), "db", "datasette", "--out", str(tmp_path / "none" / "x.json")]
    assert "cannot be written: No such file or directory; choose" in str(CliRunner().invoke(app, words).exception)


@pytest.mark.slow
def test_datasette_answers_every_question_and_explains_every_view(lived: Path, tmp_path: Path) -> None:
    datasette = pytest.importorskip("datasette.app")
    metadata = json.loads(ask(lived, "datasette", "--out", "-"))
    database = lived / "state" / "signals.db"

    async def answers() -> dict[str, Any]:
        served = datasette.Datasette([], immutables=[str(database)], metadata=metadata)
        await served.invoke_startup()
        paths = [*(f"/signals/{one.name}.json?_shape=objects" for one in canned_queries()), "/signals/v_equity"]
        found = {path: await served.client.get(path) for path in paths}
        served.executor.shutdown()
        return found

    found = asyncio.run(answers())
    assert {path for path, answer in found.items() if answer.status_code != 200} == set()
    assert "Highest equity so far" in found["/signals/v_equity"].text


@pytest.fixture
def on_server(
    server: PostgresqlServer, write_installation: Callable[[Path], Path], services_at: ServicesAt, tmp_path: Path
) -> Iterator[Engine]:
    """A database on a server, lived with for two sessions."""
    folder, url = write_installation(tmp_path / "here"), server.new_database()
    config = folder / "config.toml"
    config.write_text(f'{config.read_text()}\n[storage]\nurl = "{url}"\n')
    config.chmod(0o600)
    for moment in ("2021-10-01 08:50", "2021-10-01 17:00", "2021-10-04 08:50"):
        with services_at(folder, moment) as services:
            reconcile(services)
    engine = open_store(url, read_only=True)
    yield engine
    engine.dispose()
    server.drop(url)


@pytest.mark.slow
def test_every_question_has_an_answer_on_a_server_too(on_server: Engine) -> None:
    with reading(on_server) as conn:
        counts = {one.name: len(conn.exec_driver_sql(one.sql).fetchall()) for one in canned_queries()}
    assert {name for name, count in counts.items() if not count} <= QUIET
