"""An installation whose sessions cost little: two made-up stocks, one logit a month. And what it has written."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from sqlalchemy import text

from ensemble.sessions import load_calendar
from storage.engine import open_store, reading
from tests.daemon.compared import COMPARED, WHEN

CONFIG = """
[market]
symbols = ["AAA.NS"]
peers = ["BBB.NS"]
context = {}
history_start = 2019-01-01

[feed]
provider = "files"
files = { path = "bars" }

[ensemble]
window_years = 1
min_sessions = 120
stack = { combine = "mean", train_months = 1, gate_months = 1 }
members = [{ preset = "logit", penalty = 10 }]

[report]
enabled = false

[workers]
processes = 1

[signals]
label = "gap"
min_confidence = 0.5

[labels.barrier]
max_holding_sessions = 3

[risk]
max_holding_sessions = 3
"""
LATE = ("signals", "runs", "account", "account_events", "trades", "positions", "live_loss")
"""Tables that differ where a decision came after the open: it is marked late, nothing is traded by it, and what it said
does not count.
"""
Rows = dict[str, pd.DataFrame]


def write_cheap(folder: Path, *, last: date, config: str = CONFIG) -> Path:
    """Configuration and bars of every session of 2019 to `last`; the same ones every time."""
    random = np.random.default_rng(11)
    days = load_calendar("XNSE", first=date(2019, 1, 1), last=last).sessions
    (folder / "bars").mkdir(parents=True)
    for symbol in ("AAA.NS", "BBB.NS"):
        write_bars(folder / "bars" / f"{symbol}.csv", walk(days, random))
    (folder / "config.toml").write_text(config)
    return folder


def write_bars(path: Path, bars: pd.DataFrame) -> None:
    """As the feed `files` reads them."""
    bars.to_csv(path, index_label="Date", date_format="%Y-%m-%d")


def walk(days: pd.DatetimeIndex, random: np.random.Generator) -> pd.DataFrame:
    """Bars in Yahoo's columns: a random walk whose gaps follow the day before a little, so that there is trade."""
    day = random.normal(0, 0.01, len(days))
    gap = 0.3 * np.roll(day, 1) + random.normal(0, 0.004, len(days))
    close = 100 * np.exp(np.cumsum(gap + day - np.mean(gap + day)))
    opened = close / np.exp(day)
    high, low = np.maximum(opened, close) * 1.002, np.minimum(opened, close) / 1.002
    columns = {"Open": opened, "High": high, "Low": low, "Close": close, "Adj Close": close, "Volume": 1000.0}
    return pd.DataFrame(columns, index=days).round(4)


def become_yahoos(folder: Path) -> None:
    """The stored bars count as Yahoo's from now on."""
    with closing(sqlite3.connect(folder / "state" / "signals.db")) as database, database:
        database.execute("UPDATE bars SET provider = 'yahoo'")


def rows_of(folder: Path) -> Rows:
    """All that matters of the database, in an order that does not depend on when a row was written."""
    engine = open_store(f"sqlite:///{folder / 'state' / 'signals.db'}", read_only=True)
    try:
        with reading(engine) as conn:
            tables = {name: pd.read_sql(text(f"SELECT * FROM {name}"), conn) for name in (*COMPARED, "quarantine")}
    finally:
        engine.dispose()
    timeless = {name: frame.drop(columns=[one for one in WHEN if one in frame]) for name, frame in tables.items()}
    return {
        name: frame.sort_values(list(frame.columns), kind="stable").reset_index(drop=True)
        for name, frame in timeless.items()
    }


def assert_same(found: Rows, expected: Rows, *, but: tuple[str, ...] = ()) -> None:
    """Row by row and bit by bit, except for the tables `but`."""
    for name in expected.keys() - set(but):
        pd.testing.assert_frame_equal(found[name], expected[name], check_exact=True, obj=name)


def assert_same_but_late(found: Rows, expected: Rows, *, late: Sequence[str]) -> None:
    """The same forecasts and bars, and of all sessions these alone were decided late."""
    if not late:
        return assert_same(found, expected)
    assert sorted(found["signals"].query("late == 1")["session"]) == list(late)
    assert found["signals"]["session"].tolist() == expected["signals"]["session"].tolist()
    plain = [rows | {"forecasts": rows["forecasts"].drop(columns="late")} for rows in (found, expected)]
    return assert_same(*plain, but=LATE)
