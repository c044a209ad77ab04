"""A year of a made-up market, lived through undisturbed: what every disturbed life of it is compared with."""

import shutil
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from sqlalchemy import text

from ensemble.sessions import SessionCalendar, load_calendar
from storage.engine import open_store, reading
from tests.daemon.compared import COMPARED
from tests.daemon.simulation.living import CONFIG, live, made_up_bars
from tests.daemon.simulation.world import World, begin_of

HISTORY, BEGIN = date(2019, 7, 1), "2021-01-04"


@dataclass(frozen=True)
class LivedMarket:
    """The bars, a state to begin from that has every model, and what there is at the end of an undisturbed life."""

    bars: Mapping[str, pd.DataFrame]
    calendar: SessionCalendar
    begun: Path
    end: datetime
    kept: Mapping[str, pd.DataFrame]

    def world(self, seed: int, *, patient: bool, sleepy: bool) -> World:
        begin = _morning_after(self.calendar)
        return World(np.random.default_rng(seed), self.calendar, begin, self.end, patient=patient, sleepy=sleepy)


def live_undisturbed(folder: Path, *, market: int, sessions: int, at_once: bool = False) -> LivedMarket:
    """`sessions` sessions from BEGIN on, of the market of that number; `at_once` all but the first on the last evening.

    Then all are late, and nothing is traded: what was forecast and what came of it is the same, in a third of the time.
    """
    calendar = load_calendar("XNSE", first=HISTORY, last=date(2022, 2, 28))
    bars = made_up_bars(HISTORY, date(2022, 2, 28), market)
    place = calendar.position(pd.Timestamp(BEGIN))
    end = calendar.closes[place + sessions - 1].to_pydatetime() + timedelta(hours=3)
    home = folder / "home"
    home.mkdir(parents=True)
    (home / "config.toml").write_text(CONFIG.format(history_start=HISTORY))
    world = World(np.random.default_rng(0), calendar, begin_of(BEGIN), _morning_after(calendar), hostile=False)
    live(home, bars, world)
    begun = Path(shutil.copytree(home, folder / "begun"))
    world.end = end
    if at_once:
        world.now_ = end
    live(home, bars, world)
    shutil.copytree(home / "state" / "models", begun / "state" / "models", dirs_exist_ok=True)
    _copy_index(home, begun)
    return LivedMarket(bars, calendar, begun, end, kept(home))


def _morning_after(calendar: SessionCalendar) -> datetime:
    """The second session's night: the first is settled."""
    return begin_of(f"{calendar.next(pd.Timestamp(BEGIN)):%Y-%m-%d}") - timedelta(hours=3)


def _copy_index(home: Path, begun: Path) -> None:
    """The models of later months, so that no disturbed life trains."""
    with sqlite3.connect(home / "state" / "signals.db") as source:
        rows = source.execute("SELECT * FROM models").fetchall()
    source.close()
    with sqlite3.connect(begun / "state" / "signals.db") as target:
        target.executemany("INSERT OR REPLACE INTO models VALUES (?, ?, ?, ?)", rows)
    target.close()


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'state' / 'signals.db'}"


def kept(folder: Path) -> dict[str, pd.DataFrame]:
    """All that matters of the database."""
    engine = open_store(url(folder), read_only=True)
    try:
        with reading(engine) as conn:
            return {name: _plain(pd.read_sql(text(f"SELECT * FROM {name}"), conn)) for name in COMPARED}
    finally:
        engine.dispose()


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Text as plain objects: pandas' own kind of it depends on what the process has loaded."""
    is_text = frame.dtypes == "str"
    plain = frame.astype({str(name): object for name in frame.columns[is_text]})
    return plain.set_axis(plain.columns.astype(object), axis=1)
