"""What `backtest` shows, prints and writes: one account, told in three ways, and never a session that is held out."""

import csv
import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import create_engine, text
from typer.testing import CliRunner

from daemon.backtests.backtest import backtest
from daemon.backtests.files import EQUITY_COLUMNS, SIGNAL_COLUMNS, TRADE_COLUMNS
from daemon.backtests.report import account_market, backtest_report
from daemon.bars.demergers import read_demergers
from daemon.cli import app
from daemon.services import Services
from ensemble.evaluation.account_path import path_of
from ensemble.evaluation.random_accounts import grow_accounts
from ensemble.evaluation.return_figures import RETURN_FIGURES
from ensemble.evaluation.trade_book import trade_book
from storage.bar_store import read_bars
from storage.engine import reading

RANGE = ("--from", "2021-06-01", "--to", "2021-09-30")
AFTERWARDS = ("--now", "2021-12-31T14:30:00Z")
FILES = ["equity.csv", "performance.json", "signals.csv", "trades.csv"]
PAGE = (Path(__file__).parents[3] / "docs" / "backtest.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, write_installation: Callable[[Path], Path]) -> Path:
    """Four months replayed with one cheap member; a second backtest trains nothing."""
    folder = write_installation(tmp_path_factory.mktemp("replayed"))
    config = (folder / "config.toml").read_text()
    config = re.sub(r"  \{ (name = \"small\"|preset = \"lightgbm\").*\n", "", config)
    (folder / "config.toml").write_text(config.replace("min_confidence = 0.5\n", "min_confidence = 0.6\n"))
    call(folder, "--out", str(folder / "out"))
    return folder


@pytest.fixture
def own(folder: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return Path(copytree(folder, tmp_path / "own"))


def invoke(folder: Path, *arguments: str, span: tuple[str, ...] = RANGE) -> Any:
    command = ["--config", str(folder / "config.toml"), "backtest", *span, *AFTERWARDS, *arguments]
    return CliRunner().invoke(app, command)


def call(folder: Path, *arguments: str, span: tuple[str, ...] = RANGE) -> str:
    result = invoke(folder, *arguments, span=span)
    assert result.exit_code == 0, result.output + repr(result.exception)
    return str(result.stdout)


def read(folder: Path, *arguments: str, span: tuple[str, ...] = RANGE) -> Any:
    return json.loads(call(folder, *arguments, "--json", span=span), parse_constant=pytest.fail)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def configure(folder: Path, old: str, new: str) -> None:
    config = folder / "config.toml"
    assert old in config.read_text()
    config.write_text(config.read_text().replace(old, new))


def stored(folder: Path, query: str) -> list[tuple[Any, ...]]:
    engine = create_engine(f"sqlite:///{folder}/state/signals.db")
    with engine.connect() as conn:
        found = [tuple(row) for row in conn.execute(text(query))]
    engine.dispose()
    return found


def test_the_files_hold_what_the_database_holds(folder: Path) -> None:
    assert sorted(path.name for path in (folder / "out").iterdir()) == FILES
    trades = stored(folder, "SELECT entry_session, profit FROM trades WHERE origin = 'backtest' ORDER BY exit_session")
    written = rows(folder / "out" / "trades.csv")
    assert len(trades) > 5
    assert [(row["entry_session"], float(row["profit"])) for row in written] == trades
    marks = stored(folder, "SELECT session, equity FROM account WHERE origin = 'backtest' ORDER BY session")
    assert [(row["session"], float(row["equity"])) for row in rows(folder / "out" / "equity.csv")] == marks
    signals = stored(folder, "SELECT session, action FROM signals WHERE origin = 'backtest' ORDER BY session")
    assert [(row["session"], row["action"]) for row in rows(folder / "out" / "signals.csv")] == signals


def test_json_has_all_that_the_files_have(folder: Path) -> None:
    printed = read(folder)
    for name in ("equity", "trades", "signals"):
        written = rows(folder / "out" / f"{name}.csv")
        assert len(printed.pop(name)) == len(written) > 0
    assert printed == json.loads((folder / "out" / "performance.json").read_text(), parse_constant=pytest.fail)


def test_the_figures_follow_from_the_files(folder: Path) -> None:
    found = json.loads((folder / "out" / "performance.json").read_text())
    equity = pd.read_csv(folder / "out" / "equity.csv")
    trades = pd.read_csv(folder / "out" / "trades.csv")
    assert found["performance"]["sessions"] == len(equity)
    assert found["performance"]["trades"]["trades"] == len(trades)
    assert found["performance"]["trades"]["mean_trade_bp"] == pytest.approx(trades["return_bp"].mean())
    assert found["performance"]["trades"]["holding_sessions"] == pytest.approx(trades["holding_sessions"].mean())
    assert found["performance"]["costs"]["slippage"] == pytest.approx(trades["slippage"].sum())
    for name, column in (("performance", "equity"), ("buy_and_hold", "buy_and_hold"), ("scaled_hold", "scaled_hold")):
        total = 100 * (equity[column].iloc[-1] / 1e6 - 1)
        assert found[name]["returns"]["total_return_pct"] == pytest.approx(total)
    drawdown = equity["drawdown_pct"].max()
    assert found["performance"]["returns"]["max_drawdown_pct"] == pytest.approx(drawdown)
    assert found["performance"]["drawdown"]["depth_pct"] == pytest.approx(drawdown)


def test_every_number_stands_beside_an_interval_and_baselines(folder: Path) -> None:
    found = read(folder)
    assert set(found["intervals"]) == {*RETURN_FIGURES, "mean_trade_bp", "hit_rate_pct"}
    assert set(found["buy_and_hold"]["intervals"]) == set(RETURN_FIGURES)
    random = found["random_entries"]
    assert random["replays"] == 500
    assert random["entries"] == pytest.approx(sum(signal["action"] == "BUY" for signal in found["signals"]))
    chance = random["figures"]["total_return_pct"]
    assert chance["low"] < chance["median"] < chance["high"]
    assert 0 < chance["p_value"] <= 1


def test_the_edge_of_each_label_is_split_for_all_stocks_and_for_the_traded_one(folder: Path) -> None:
    found = {(one["label"], len(one["symbols"]), one["min_confidence"]): one for one in read(folder)["edges"]}
    labels = ("gap", "close_to_close", "open_to_close", "barrier")
    assert set(found) == {(label, stocks, level) for label in labels for stocks in (1, 2) for level in (0.5, 0.6)}
    for one in found.values():
        for part in ("before_open", "after_open"):
            assert one["forecasts"] == 0 or one[part]["low"] < one[part]["value"] < one[part]["high"]
    assert found["gap", 2, 0.5]["forecasts"] == 2 * found["gap", 1, 0.5]["forecasts"] == 2 * len(read(folder)["equity"])


def test_people_are_shown_the_same(folder: Path) -> None:
    shown = call(folder)
    found = read(folder)
    own, held = found["performance"]["returns"], found["buy_and_hold"]["returns"]
    (line,) = [line for line in shown.splitlines() if line.startswith("total return, %")]
    assert line.split()[3] == f"{own['total_return_pct']:.2f}"
    assert f" {held['total_return_pct']:.2f} " in line
    for part in ("Where the edge lies", "The account and its baselines", "Random entries: 500 accounts", "True Sharpe"):
        assert part in shown
    for part in ("Trades by what closed them", "By year of the exit", "Signals: ", "Account: equity"):
        assert part in shown
    assert "nan" not in shown.lower().replace("finance", "")


def test_of_what_is_held_out_nothing_is_written_and_the_rest_is_what_a_shorter_backtest_says(own: Path) -> None:
    configure(own, "[risk]\n", "[evaluation]\nholdout_from = 2021-08-16\n\n[risk]\n")
    seen = read(own, "--out", str(own / "held"))
    assert seen["last_session"] == "2021-08-13"
    assert "sessions from 2021-08-16 on are held out" in seen.pop("held_back")
    for name in ("equity", "signals", "trades"):
        column = "exit_session" if name == "trades" else "session"
        written = [row[column] for row in rows(own / "held" / f"{name}.csv")]
        assert written == [row[column] for row in seen[name]]
        assert max(written) < "2021-08-16"
    shorter = read(own, span=("--from", "2021-06-01", "--to", "2021-08-13"))
    assert shorter.pop("held_back") == ""
    for found in (seen, shorter):  # the longer one has stored outcomes that were not known yet
        found.pop("scores")
    assert seen == shorter


def test_a_range_that_is_held_out_as_a_whole_writes_nothing(own: Path) -> None:
    configure(own, "[risk]\n", "[evaluation]\nholdout_from = 2021-05-03\n\n[risk]\n")
    assert list(read(own, "--out", str(own / "held"))) == ["held_back"]
    assert not (own / "held").exists()


def test_without_a_trade_there_are_dashes_and_nulls_and_no_warning(own: Path) -> None:
    configure(own, "min_confidence = 0.6", "min_confidence = 0.999")
    found = read(own)
    assert (found["trades"], found["random_entries"], found["sharpe_odds"]) == ([], None, None)
    assert found["performance"]["returns"] == {
        **dict.fromkeys(RETURN_FIGURES, None),
        **dict.fromkeys(("total_return_pct", "cagr_pct", "volatility_pct", "max_drawdown_pct"), 0.0),
    }
    shown = call(own, "--out", str(own / "none"))
    assert "Nothing was entered" in shown
    assert re.search(r"Sharpe ratio +- ", shown)
    assert rows(own / "none" / "trades.csv") == []
    assert (own / "none" / "trades.csv").read_text().startswith("symbol,direction,quantity,")


def test_one_session_is_shown_too(own: Path) -> None:
    found = read(own, span=("--from", "2021-09-30", "--to", "2021-09-30"))
    assert found["performance"]["sessions"] == 1
    assert found["performance"]["returns"]["cagr_pct"] is None
    assert "Account: equity" in call(own, span=("--from", "2021-09-30", "--to", "2021-09-30"))


@pytest.mark.parametrize("product", ["cash", "futures"])
def test_who_draws_the_accounts_own_sessions_has_the_accounts_own_equity(
    product: str, own: Path, services_at: Callable[..., AbstractContextManager[Services]]
) -> None:
    """So the random accounts trade as the daemon does, in everything but when they enter."""
    configure(own, "[risk]\n", f'[risk]\nproduct = "{product}"\n')
    configure(own, "min_confidence = 0.6", "min_confidence = 0.52")
    with services_at(own, "2021-12-31 20:00") as services:
        replayed = backtest(services, first=date(2021, 6, 1), last=date(2021, 9, 30))
        with reading(services.engine) as conn:
            market = account_market(
                services, replayed, read_bars(conn, ["AAA.NS"]), read_demergers(conn, services.settings)
            )
    path = path_of([one.settlement for one in replayed], capital=1e6)
    books = {line: trade_book(line, market.trader, market.turns[line]) for line in path.habits()}
    wanted = np.zeros((len(books), len(path.sessions), 1), dtype=np.bool_)
    entries = [((trade.symbol, trade.direction), trade.entry_session) for trade in path.trades]
    entries += [((held.symbol, held.direction), held.entry_session) for held in path.held]
    for line, session in entries:
        wanted[list(books).index(line), path.sessions.index(session)] = True
    grown = grow_accounts(books, wanted, places=3, random=np.random.default_rng(0))
    assert (grown.entered == wanted).all()
    assert wanted.sum() > 10
    assert {trade.direction for trade in path.trades} == ({"LONG"} if product == "cash" else {"LONG", "SHORT"})
    assert any(trade.exit_reason == "SIGNAL" for trade in path.trades)
    assert grown.equity[:, 0] == pytest.approx(path.equity / 1e6, abs=2e-5)  # whole shares


def test_buy_and_hold_and_where_moves_lie_are_what_they_are_without_a_demerger(
    own: Path, services_at: Callable[..., AbstractContextManager[Services]]
) -> None:
    with services_at(own, "2021-12-31 20:00") as services:
        replayed = backtest(services, first=date(2021, 6, 1), last=date(2021, 9, 30))
        plain = backtest_report(services, replayed)
    configure(own, "[market]\n", '[market]\ndemergers = "own.csv"\n')
    (own / "own.csv").write_text("symbol,session,value,close_before\nAAA.NS,2021-08-03,25,100\n")
    engine = create_engine(f"sqlite:///{own}/state/signals.db")
    with engine.begin() as conn:
        prices = ", ".join(f"{name} = 0.75 * {name}" for name in ("open", "high", "low", "close", "adj_close"))
        conn.execute(text(f"UPDATE bars SET {prices} WHERE symbol = 'AAA.NS' AND session >= '2021-08-03'"))
    engine.dispose()
    with services_at(own, "2021-12-31 20:00") as services:
        found = backtest_report(services, replayed)
    assert not isinstance(plain, str)
    assert not isinstance(found, str)
    assert found.account.hold.equity == pytest.approx(plain.account.hold.equity)
    assert [one.before_open.value for one in found.edges] == pytest.approx(
        [one.before_open.value for one in plain.edges], nan_ok=True
    )


def test_each_way_of_trading_is_one_more_account_that_the_best_was_chosen_from(own: Path) -> None:
    assert read(own)["sharpe_odds"]["trials"] == 1
    configure(own, "min_confidence = 0.6", "min_confidence = 0.55")
    found = read(own)["sharpe_odds"]
    assert found["trials"] == read(own)["sharpe_odds"]["trials"] == 2
    assert found["deflated"] < found["probability"]
    configure(own, "[risk]\n", "[risk]\nposition_pct = 20\n")
    assert read(own)["sharpe_odds"]["trials"] == 3


def test_the_risk_free_rate_lowers_the_sharpe_ratio_and_stands_beside_it(own: Path) -> None:
    before = read(own)["performance"]["returns"]
    configure(own, "[risk]\n", "[evaluation]\nrisk_free_pct = 6.5\n\n[risk]\n")
    after = read(own)["performance"]
    assert after["returns"]["sharpe"] < before["sharpe"]
    assert (after["returns"]["cagr_pct"], after["risk_free_pct"]) == (before["cagr_pct"], 6.5)
    assert "Sharpe and Sortino above 6.5 % a year" in call(own)


def test_a_folder_that_cannot_be_written_is_one_line(folder: Path) -> None:
    result = invoke(folder, "--out", str(folder / "config.toml"))
    assert result.exit_code == 1
    assert str(result.exception) == f"--out {folder}/config.toml cannot be written: File exists; choose another folder."


@pytest.mark.parametrize(
    ("name", "columns"),
    [("equity.csv", EQUITY_COLUMNS), ("trades.csv", TRADE_COLUMNS), ("signals.csv", SIGNAL_COLUMNS)],
)
def test_every_column_is_documented(name: str, columns: tuple[str, ...], folder: Path) -> None:
    with (folder / "out" / name).open(encoding="utf-8") as file:
        assert file.readline().strip().split(",") == list(columns)
    assert re.findall(r"^\| `(\w+)` \|", section(name), re.MULTILINE) == list(columns)


def test_every_key_of_the_figures_is_documented(folder: Path) -> None:
    found = json.loads((folder / "out" / "performance.json").read_text())
    assert re.findall(r"^\| `(\w+)` \|", section("performance.json"), re.MULTILINE) == list(found)
    nested = {*found["performance"], *found["performance"]["returns"], *found["performance"]["drawdown"]}
    nested |= {*found["performance"]["trades"], *found["performance"]["costs"], *found["sharpe_odds"]}
    assert nested <= set(re.findall(r"`(\w+)`", PAGE))


def section(name: str) -> str:
    return PAGE.split(f"### {name}\n")[1].split("\n#")[0]


def test_the_page_shows_what_the_command_prints(folder: Path) -> None:
    """Its example is of other bars; titles, rows and columns are the same."""
    example = PAGE.split("## An example")[1].split("```\n")[2]
    shown = call(folder)

    def heads(text: str) -> set[str]:
        lines = [re.sub(r"[\d.]+", "#", line.split("  ")[0].split(":")[0].strip()) for line in text.splitlines()]
        return {line for line in lines if line and not re.match(r"#|Written|No record|To be", line)}

    exits = {"STOP", "TARGET", "TIME", "SIGNAL"}
    assert heads(example) - exits == heads(shown) - exits
