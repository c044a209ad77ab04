"""What a backtest shows is what the daemon does: lived through by the real process, killed at random, and replayed."""

import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from daemon.config.settings import load_settings
from daemon.sessions.desk import home_calendar
from daemon.sessions.reconcile import timetable_of
from daemon.synthetic.simulate import simulate
from ensemble.evaluation.synthetic import SyntheticOptions

ROOT = Path(__file__).parents[2]
COMPARED = (
    *("forecasts", "member_forecasts", "signals", "features"),
    *("account_events", "trades", "positions", "account"),
)
PROCESS = """
import sys
from daemon.cli import main
config, *instants = sys.argv[1:]
for instant in instants:
    sys.argv = ["reliance-daemon", "--config", config, "run-once", "--json", "--now", instant]
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise
    print("done", instant, flush=True)
"""
ENSEMBLE = """
[ensemble]
window_years = {window_years}
min_sessions = {min_sessions}
stack = {{ train_months = 1, gate_months = 1 }}
members = [{{ preset = "logit", penalty = 100 }}, {{ preset = "lightgbm", rounds = 10 }}]

[workers]
processes = 1

[signals]
label = "close_to_close"
min_confidence = 0.5
gate = "{gate}"
min_expected_value_bp = -1000

[risk]
max_holding_sessions = 4

[broker]
tickets = "tickets"

[report]
enabled = false
"""
REAL_MARKET = """
[market]
symbols = ["RELIANCE.NS", "INFY.NS", "ITC.NS", "ONGC.NS"]
peers = []
context = {{ XNYS = ["EPI", "^GSPC"], XNSE = ["^NSEI"] }}
history_start = 2012-01-02

[feed]
provider = "files"
files = {{ path = "{folder}" }}
"""


def command(config: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    code = "from daemon.cli import main; main()"
    call = [sys.executable, "-c", code, "--config", str(config), *words]
    return subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=False)


@dataclass
class Life:
    """Instants that the real process lives through, killed with SIGKILL and started again where it was."""

    config: Path
    instants: Sequence[str]
    kills: dict[int, float]
    """After how many instants it is killed -> at which part of the next one, 0 to 1."""
    longest: int
    """Instants that a process lives through at most."""
    _lived: int = 0
    _took_s: list[float] = field(default_factory=list)

    def live(self) -> int:
        """How often it was killed."""
        killed = 0
        while self._lived < len(self.instants):
            ahead = self.instants[self._lived : self._lived + self.longest]
            call = [sys.executable, "-c", PROCESS, str(self.config), *ahead]
            with (
                self.errors.open("w") as errors,
                subprocess.Popen(call, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
            ):
                self._follow(process.stdout or (), process)
            assert process.returncode in (0, -signal.SIGKILL), self.errors.read_text()
            killed += process.returncode != 0
        return killed

    @property
    def errors(self) -> Path:
        return self.config.parent / "errors.txt"

    def _follow(self, lines: Iterable[str], process: "subprocess.Popen[str]") -> None:
        """Counts what is done, kills where it is due, and counts what was done until then."""
        began = time.monotonic()
        for line in lines:
            if not line.startswith("done "):
                continue
            self._lived += 1
            self._took_s.append(time.monotonic() - began)
            began = time.monotonic()
            overdue = [place for place in self.kills if place <= self._lived]  # a busy machine may kill late
            if overdue:
                time.sleep(self.kills.pop(overdue[0]) * float(np.median(self._took_s)))
                process.kill()
                self._lived += sum(line.startswith("done ") for line in lines)
                return


def instants(config: Path, first: date, last: date) -> list[str]:
    """When each session of the range is decided and settled, in order."""
    settings = load_settings(config, {})
    calendar = home_calendar(settings, pd.Timestamp(last).to_pydatetime())
    timetable = timetable_of(settings, calendar)
    begin = calendar.previous(first)
    tasks = timetable.due(pd.Timestamp(last, tz="UTC") + pd.Timedelta(hours=23), decided=[begin], settled=[begin])
    return [f"{task.due_at:%Y-%m-%dT%H:%M:%SZ}" for task in tasks if task.session > begin]


def random_kills(n_instants: int, count: int, seed: int) -> dict[int, float]:
    random = np.random.default_rng(seed)
    places = random.choice(np.arange(1, n_instants - 1), size=count, replace=False)
    return {int(place): float(part) for place, part in zip(places, random.random(count), strict=True)}


def table(database: Path, name: str, origin: str) -> pd.DataFrame:
    """The rows of one origin, without the columns that say so."""
    with sqlite3.connect(database) as conn:
        frame = pd.read_sql(f"SELECT * FROM {name} WHERE origin = ?", conn, params=(origin,))
    conn.close()
    return frame.drop(columns="origin")


def outcomes(database: Path) -> pd.DataFrame:
    with sqlite3.connect(database) as conn:
        frame = pd.read_sql("SELECT session, symbol, label, outcome FROM outcomes ORDER BY 1, 2, 3", conn)
    conn.close()
    return frame


def check_parity(config: Path, first: date, last: date, *, kills: dict[int, float], longest: int) -> None:
    """Lives through the range, killed, then replays it: every row must be equal, and some trades there."""
    database = config.parent / "state" / "signals.db"
    count = len(kills)
    assert Life(config, instants(config, first, last), kills, longest).live() == count
    lived = {name: table(database, name, "live") for name in COMPARED}
    known = outcomes(database)
    check_tickets(config.parent / "tickets", lived["signals"], lived["trades"])
    replay = command(config, "backtest", "--from", f"{first}", "--to", f"{last}", "--now", f"{last}T23:00:00Z")
    assert replay.returncode == 0, replay.stderr
    for name, live in lived.items():
        pd.testing.assert_frame_equal(live, table(database, name, "backtest"), check_exact=True)
    pd.testing.assert_frame_equal(known, outcomes(database))
    assert len(lived["trades"]) > len(lived["account"]) / 10
    assert set(lived["account"]["session"]) == set(lived["signals"]["session"]) != set()


def check_tickets(folder: Path, signals: pd.DataFrame, trades: pd.DataFrame) -> None:
    """Every session has its ticket, killed or not, and it lists what was to be traded, at the open and at the close."""
    assert {path.name for path in folder.iterdir()} == {f"{session}.csv" for session in signals["session"]}
    columns = ["session", "symbol", "quantity"]
    told = pd.concat([pd.read_csv(path) for path in sorted(folder.iterdir())])
    at_open = told.loc[told["order_type"] == "MARKET_AT_OPEN", columns].reset_index(drop=True)
    orders = signals.loc[signals["actionable"] == 1, columns].reset_index(drop=True)
    pd.testing.assert_frame_equal(at_open.astype(str), orders.astype(str))
    at_close = told.loc[told["order_type"] == "MARKET_AT_CLOSE", ["session", "symbol"]]
    timed = trades.loc[trades["exit_reason"] == "TIME", ["exit_session", "symbol"]]
    assert set(timed.itertuples(index=False, name=None)) <= set(at_close.itertuples(index=False, name=None))


def corrupt(database: Path, name: str, session_column: str, column: str, value: float) -> tuple[str, ...]:
    """Changes one cell of a live row; the words that `verify` must name it by."""
    which = f"FROM {name} WHERE origin = 'live' AND {column} <> {value} ORDER BY rowid LIMIT 1 OFFSET 2"
    with sqlite3.connect(database) as conn:
        row, session, symbol = conn.execute(f"SELECT rowid, {session_column}, symbol {which}").fetchone()
        conn.execute(f"UPDATE {name} SET {column} = {value} WHERE rowid = {row}")
    conn.close()
    return session, symbol, name, column, f"{value}"


def check_verify(config: Path, first: date) -> None:
    """`verify` finds all of it equal, and names a probability and a fill that are changed."""
    database = config.parent / "state" / "signals.db"
    told = command(config, "verify", "--since", f"{first}")
    assert (told.returncode, told.stdout.splitlines()[-1].split(": ")[-1]) == (0, "all equal"), told.stdout
    damages = {
        corrupt(database, "forecasts", "session", "probability", 0.123),
        corrupt(database, "trades", "exit_session", "exit_price", 12.5),
    }
    told = command(config, "verify", "--since", f"{first}")
    assert told.returncode == 1
    lines = [re.sub(r" \(.*?\)", "", line).split() for line in told.stdout.splitlines()]
    assert damages == {tuple(line[:5]) for line in lines if len(line) == 6 and line[0] != "session"}


@pytest.fixture
def synthetic(tmp_path: Path) -> Path:
    """The configuration of a made-up market with three stocks, whose trades are weighed by what earlier ones earned."""
    config = simulate(SyntheticOptions(auc=0.7, years=2, symbols=3, seed=5), tmp_path / "made-up").config
    config.write_text(config.read_text() + ENSEMBLE.format(window_years=1, min_sessions=120, gate="expected_value"))
    return config


@pytest.mark.timeout(600)  # a dozen seconds; it is made of processes, which a busy machine keeps waiting
def test_a_month_lived_through_three_kills_equals_its_backtest_and_its_replay_row_by_row(synthetic: Path) -> None:
    first, last = date(2020, 11, 16), date(2020, 12, 15)
    n_instants = len(instants(synthetic, first, last))
    assert n_instants > 38
    check_parity(synthetic, first, last, kills=random_kills(n_instants, 3, seed=1), longest=n_instants)
    check_verify(synthetic, first)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_year_of_real_bars_lived_through_twenty_kills_equals_its_backtest_and_its_replay_row_by_row(
    market_folder: Path, tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    small = ENSEMBLE.format(window_years=3, min_sessions=250, gate="confidence")
    config.write_text(REAL_MARKET.format(folder=market_folder) + small)
    first, last = date(2017, 1, 2), date(2017, 12, 29)
    kills = random_kills(len(instants(config, first, last)), 20, seed=2)
    check_parity(config, first, last, kills=kills, longest=10)
    check_verify(config, first)
