"""A daemon's life in a world: the real loop, jobs, stores and files; killed and started again as the world has it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
from sqlalchemy import event

from daemon.config.settings import Settings, load_settings
from daemon.console.progress import silent
from daemon.service.clock_watch import ClockWatch
from daemon.service.loop import MONTH_TURN, SESSION, TICK, Loop
from daemon.service.memory import settle_in
from daemon.service.self_test import self_test
from daemon.service.service_manager import ServiceManager
from daemon.services import Services
from ensemble.bars import BAR_COLUMNS
from ensemble.features.matrix import Market, build_panel
from ensemble.panel import Panel
from ensemble.sessions import load_calendar
from storage.engine import open_store
from storage.model_store import ModelStore
from tests.daemon.loop_by_hand import unread
from tests.daemon.made_up_bars import walk
from tests.daemon.simulation.world import Killed, World, WorldlyConnection, worldly

SYMBOLS = ("AAA.NS", "CCC.NS")
PANELS_KEPT = 1000
CONFIG = """
[market]
symbols = ["AAA.NS", "CCC.NS"]
peers = []
context = {{}}
history_start = {history_start}

[feed]
provider = "files"
files = {{ path = "bars" }}

[ensemble]
window_years = 1
min_sessions = 120
retrain = "quarterly"
stack = {{ combine = "mean", train_months = 1, gate_months = 1 }}
members = [{{ preset = "logit", penalty = 10 }}]

[workers]
processes = 1

[signals]
label = "gap"
min_confidence = 0.5

[storage]
backups_kept = 1

[labels.barrier]
max_holding_sessions = 3

[risk]
max_holding_sessions = 3
position_pct = 20
"""


@cache
def _remembering() -> Callable[..., Panel]:
    """Builds panels as the desk does, and builds none twice: lives of one market see the same bars on most days."""
    kept: dict[Any, Panel] = {}

    def build(market: Market, first: date | None = None) -> Panel:
        seen = sha256(b"".join(part for bars in market.bars.values() for part in _bytes_of(bars))).digest()
        key = (first, len(market.calendar.sessions), seen)
        if key not in kept:
            if len(kept) == PANELS_KEPT:
                kept.clear()
            kept[key] = build_panel(market, first)
        return kept[key]

    return build


def _bytes_of(bars: pd.DataFrame) -> tuple[bytes, bytes]:
    return bars.index.to_numpy().tobytes(), bars.to_numpy().tobytes()


@dataclass
class Planned:
    """A waker whose bell is the world's: it keeps what is planned, and nobody waits."""

    wakes: dict[str, pd.Timestamp] = field(default_factory=dict)

    def plan(self, wakes: Mapping[str, pd.Timestamp]) -> None:
        self.wakes = dict(wakes)


def made_up_bars(first: date, last: date, seed: int) -> dict[str, pd.DataFrame]:
    """Bars frames of SYMBOLS: opens follow a shared move, the rest of the day is noise."""
    random = np.random.default_rng(seed)
    days = load_calendar("XNSE", first=first, last=last).sessions
    shared = random.normal(0, 0.01, len(days))
    return {symbol: _bars(days, shared, random) for symbol in SYMBOLS}


def _bars(days: pd.DatetimeIndex, moves: np.ndarray, random: np.random.Generator) -> pd.DataFrame:
    index = pd.DatetimeIndex(days.to_numpy(), name="session").as_unit("us")
    return walk(days, moves, random).set_axis(list(BAR_COLUMNS), axis=1).set_axis(index).astype(float)


@contextmanager
def daemon(folder: Path, settings: Settings, bars: Mapping[str, pd.DataFrame], world: World) -> Iterator[Loop]:
    """A process's life from its start, with everything opened anew."""
    engine = open_store(settings.storage.database_url)
    try:
        engine.dispose()
        event.listen(engine, "do_connect", _connects_in(world))
        event.listen(engine, "connect", _never_syncs)
        feed, models = worldly(bars, world), ModelStore(settings.storage.models_dir)
        services = Services(settings, world, engine, models, feed, silent)
        self_test(services)
        planned: Any = Planned()
        yield Loop(services, ClockWatch(world), unread, ServiceManager({}), waker=planned)
    finally:
        engine.dispose()


def _connects_in(world: World) -> Callable[..., None]:
    factory = type("Connection", (WorldlyConnection,), {"world": world})

    def choose(_dialect: object, _entry: object, _arguments: object, options: dict[str, Any]) -> None:
        options["factory"] = factory

    return choose


def _never_syncs(connection: Any, _: object) -> None:
    """No machine loses its power here, and waiting for the disk takes most of the time."""
    connection.execute("PRAGMA synchronous = OFF")


def live(folder: Path, bars: Mapping[str, pd.DataFrame], world: World) -> None:
    """Until the world's end, killed and started again as the world has it; at the end all is well."""
    settings = load_settings(folder / "config.toml", {})
    settings.storage.state_dir.mkdir(exist_ok=True)
    settle_in()
    while True:
        try:
            with (
                daemon(folder, settings, bars, world) as loop,
                patch("daemon.sessions.desk.build_panel", _remembering()),
            ):
                rung = frozenset[str]()
                while world.now_ < world.end:
                    world.sleep_until(min(_next_look(loop, loop.turn(rung), world.now_), world.end))
                    rung = frozenset({MONTH_TURN}) if _wakes(loop)[MONTH_TURN] <= world.now_ else frozenset()
                world.come_to_rest()
                loop.turn()
                return
        except Killed:
            world.restart()
        except Exception as error:
            if "locked" not in str(error) and "full" not in str(error):
                raise
            world.note(f"did not start: {error}")
            world.restart()


def _next_look(loop: Loop, pause: float, now: datetime) -> datetime:
    """Nothing happens at the ticks of an idle daemon: they are left out."""
    wakes = _wakes(loop)
    idle = not loop.status and pause >= loop.services.settings.schedule.poll_s
    following = min(wakes[SESSION], wakes[MONTH_TURN]) if idle else wakes[TICK]
    return max(following.ceil("us").to_pydatetime(), now + timedelta(seconds=1))


def _wakes(loop: Loop) -> Mapping[str, pd.Timestamp]:
    wakes: Mapping[str, pd.Timestamp] = loop.waker.wakes  # type: ignore[attr-defined]
    return wakes
