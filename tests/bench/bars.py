"""`bars`: 25 years of 500 symbols in a database, what reading one costs, a day's reading beside a plain insert."""

import sqlite3
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from sqlalchemy import Engine

from daemon.bars.backfill import backfill
from daemon.bars.ingest import ingest
from daemon.clock import FixedClock
from daemon.config.settings import Settings
from daemon.console.progress import silent
from daemon.services import Services
from ensemble.bars import BAR_COLUMNS
from ensemble.sessions import SessionCalendar, load_calendar
from storage.bar_store import read_bars, write_bars
from storage.engine import open_store, reading, transaction
from storage.feeds import FeedError, History
from storage.model_store import ModelStore
from storage.tables import bars as table
from tests.bench.measure import child, peak_mb, resident_mb
from tests.bench.options import Options
from tests.bench.result import Figure, Result, median_figure, ratio_figure

SYMBOLS, YEARS = 500, 25
LAST, NEWEST = date(2025, 12, 31), date(2026, 6, 30)
DAILY_SYMBOLS, DAILY_SESSIONS = 50, 40
READS, REPETITIONS = 50, 5
READ_GOAL_MS = 50.0
RESTATED = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
"""When the last symbols got a second version of all their bars."""
RESTATED_SYMBOLS = 5


@dataclass
class MadeUp:
    """A feed of random walks: the same symbol gives the same bars, to the digit, however far it is asked."""

    sessions: pd.DatetimeIndex
    name: str = "made-up"
    on_network: bool = False
    kept: dict[str, pd.DataFrame] = field(default_factory=dict)
    """Walks that were made before the clock ran."""

    def fetch(self, symbols: Sequence[str], *, first: date, last: date) -> Mapping[str, History | FeedError]:
        """Whole histories from `first` on."""
        begin, end = pd.Timestamp(first), pd.Timestamp(last)
        walks = {symbol: self.kept[symbol] if symbol in self.kept else self.bars(symbol) for symbol in symbols}
        return {symbol: History(walk.loc[begin:end], NO_ACTIONS) for symbol, walk in walks.items()}

    def bars(self, symbol: str) -> pd.DataFrame:
        """The symbol's walk."""
        random = np.random.default_rng(int(symbol[1:5]))
        count = len(self.sessions)
        close = 100 * np.exp(np.cumsum(random.normal(0.0003, 0.015, count)))
        opened = close * np.exp(random.normal(0, 0.005, count))
        spread = np.exp(np.abs(random.normal(0, 0.006, (2, count))))
        high, low = np.maximum(opened, close) * spread[0], np.minimum(opened, close) / spread[1]
        volume = random.integers(1, 10**8, count).astype(np.float64)
        columns = (opened, high, low, close, close * 0.9, volume)
        return pd.DataFrame(dict(zip(BAR_COLUMNS, columns, strict=True)), index=self.sessions.rename("session"))


NO_ACTIONS = pd.DataFrame({"dividend": [], "split": []}, index=pd.DatetimeIndex([], name="session"))


def run(options: Options) -> Result:
    """The database is made in a process of its own, whose memory is watched."""
    repetitions = options.repetitions or REPETITIONS
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        with child() as pool:
            before_mb, wall_s, peak, rows = pool.submit(stored, state, SYMBOLS).result()
        size_mb = sum(path.stat().st_size for path in state.glob("signals.db*")) / 1e6
        reads_ms, as_of_ms = read_times(state)
        daily = [daily_times(state, number) for number in range(repetitions)]
    absent, ordinary, floor = ([one[place] for one in daily] for place in range(3))
    return Result(
        f"{SYMBOLS} made-up symbols x {YEARS} years of the NSE, {rows:,} bars",
        (
            Figure("stored in", wall_s, "s"),
            Figure("bars a second", rows / wall_s, ""),
            Figure("database", size_mb, "MB"),
            Figure("a bar", size_mb * 1e6 / rows, "bytes"),
            Figure("memory before", before_mb, "MB"),
            Figure("peak memory", peak, "MB"),
            median_figure("one symbol read", reads_ms, "ms"),
            median_figure("one symbol read as of a day", as_of_ms, "ms", at_most=READ_GOAL_MS),
            median_figure("plain insert of 50 x 40", [1e3 * one for one in floor], "ms"),
            median_figure("reading after 40 sessions away", [1e3 * one for one in absent], "ms"),
            ratio_figure("reading after 40 sessions away : plain insert", absent, floor),
            median_figure("ordinary reading, one new bar each", [1e3 * one for one in ordinary], "ms"),
            ratio_figure("ordinary reading : plain insert", ordinary, floor),
        ),
    )


def names(count: int) -> tuple[str, ...]:
    """S0001.NS and so on."""
    return tuple(f"S{number:04d}.NS" for number in range(1, count + 1))


def calendar_of(last: date = NEWEST) -> SessionCalendar:
    """25 years of the NSE, and what follows."""
    return load_calendar("XNSE", first=date(LAST.year - YEARS + 1, 1, 1), last=last)


def services_of(state: Path, symbols: Sequence[str], feed: MadeUp, now: datetime, name: str = "signals.db") -> Services:
    """What a reading needs, all of it in `state`."""
    market = {"symbols": list(symbols), "peers": [], "context": {}, "history_start": date(LAST.year - YEARS + 1, 1, 1)}
    settings = Settings.model_validate({"market": market, "storage": {"state_dir": state}})
    engine = open_store(f"sqlite:///{state / name}")
    return Services(settings, FixedClock(now), engine, ModelStore(state / "models"), feed, silent)


def stored(state: Path, symbols: int) -> tuple[float, float, float, int]:
    """Memory before, seconds, peak memory and rows of a backfill; then some symbols are restated."""
    feed = MadeUp(calendar_of().sessions)
    services = services_of(state, names(symbols), feed, datetime(2025, 12, 31, 18, tzinfo=UTC))
    before, begin = resident_mb(), time.perf_counter()
    done = backfill(services)
    wall_s, peak = time.perf_counter() - begin, peak_mb()
    with transaction(services.engine) as conn:
        for symbol in names(symbols)[-RESTATED_SYMBOLS:]:
            halved = feed.bars(symbol).loc[: pd.Timestamp(LAST)] / 2
            write_bars(conn, symbol, halved, seen_at=RESTATED, provider="made-up")
    services.engine.dispose()
    return before, wall_s, peak, sum(one.added for one in done.filled)


def read_times(state: Path) -> tuple[list[float], list[float]]:
    """Milliseconds to read each of some symbols as they are, and restated ones as they were known before."""
    engine = open_store(f"sqlite:///{state / 'signals.db'}", read_only=True)
    known_at = datetime(2026, 1, 4, tzinfo=UTC)
    restated = names(SYMBOLS)[-RESTATED_SYMBOLS:]
    some = np.random.default_rng(0).choice(names(SYMBOLS), READS, replace=False).tolist()
    now = [_read_ms(engine, symbol, None) for symbol in some]
    then = [_read_ms(engine, restated[number % len(restated)], known_at) for number in range(READS)]
    engine.dispose()
    return now, then


def _read_ms(engine: Engine, symbol: str, known_at: datetime | None) -> float:
    begin = time.perf_counter()
    with reading(engine) as conn:
        bars = read_bars(conn, [symbol], known_at=known_at)[symbol]
    took = time.perf_counter() - begin
    if len(bars) < 6000:
        raise ValueError(f"{symbol} has {len(bars)} bars")
    return 1e3 * took


def daily_times(state: Path, number: int) -> tuple[float, float, float]:
    """Seconds of a reading that brings 40 sessions of 50 symbols, of one that brings a session, of a plain insert."""
    sessions = calendar_of().sessions
    feed = MadeUp(sessions)
    begin = int(sessions.searchsorted(pd.Timestamp(LAST), side="right"))
    symbols = names(SYMBOLS)[number * DAILY_SYMBOLS : (number + 1) * DAILY_SYMBOLS]
    feed.kept = {symbol: feed.bars(symbol) for symbol in symbols}
    took = []
    for more in (DAILY_SESSIONS, DAILY_SESSIONS + 1):
        now = (sessions[begin + more - 1] + pd.Timedelta(hours=18)).tz_localize("UTC").to_pydatetime()
        services, calendar = services_of(state, symbols, feed, now), calendar_of(now.date())
        start = time.perf_counter()
        ingest(services, calendar)
        took.append(time.perf_counter() - start)
        services.engine.dispose()
    return took[0], took[1], plain_insert_s(state / f"floor{number}.db", feed.kept)


def plain_insert_s(path: Path, bars: Mapping[str, pd.DataFrame]) -> float:
    """The same rows into the same table, none looked at or compared: one transaction that waits for the disk."""
    open_store(f"sqlite:///{path}").dispose()
    rows = [
        (symbol, f"{day:%Y-%m-%d}", "2026-03-01T00:00:00Z", "made-up", *prices)
        for symbol, walk in bars.items()
        for day, *prices in walk.tail(DAILY_SESSIONS).itertuples()
    ]
    columns = ("symbol", "session", "seen_at", "provider", *BAR_COLUMNS)
    conn = sqlite3.connect(path, isolation_level=None)
    conn.execute("PRAGMA synchronous = FULL")
    start = time.perf_counter()
    conn.execute("BEGIN IMMEDIATE")
    conn.executemany(f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})", rows)
    conn.execute("COMMIT")
    took = time.perf_counter() - start
    conn.close()
    return took
