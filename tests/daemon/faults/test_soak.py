"""5,000 sessions in one process: it holds no more at the end than in the middle."""

import gc
import re
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from daemon.service.memory import hold_together, settle_in
from daemon.services import Services
from ensemble.sessions import load_calendar
from storage.engine import reading
from storage.feeds import FeedError, History
from storage.feeds.files import FilesFeed
from storage.run_store import done_runs
from storage.tables import LIVE
from tests.daemon.faults.cheap import CONFIG, write_cheap
from tests.daemon.faults.world import World, WorldlyFeed, born, utc

ServicesAt = Callable[..., AbstractContextManager[Services]]

QUARTERLY = CONFIG.replace("[ensemble]", '[ensemble]\nretrain = "quarterly"')
SESSIONS, SAMPLED_EVERY = 5000, 100
LAST = date(2040, 12, 31)
"""Beyond the library's last holidays, where every weekday is a session."""
ALLOWED_KB_A_SESSION = 3.0
"""In the second half, 7.5 MB in ten years, when SQLite's page caches and two caches of 4,096 texts have long been full.
About half a kilobyte is history: the ledger's dates in the newest snapshot, the calendar, the bars of two symbols. Six
jobs a session that a scheduler does not drop were 4; a frame of bars that nobody lets go of would be 100 to 300."""


@dataclass(frozen=True, slots=True)
class Held:
    """What the process holds after so many sessions."""

    sessions: int
    resident_kb: int
    handles: int
    threads: int
    blocks: int
    """Of memory that Python's own objects take."""


@dataclass
class FeedInMemory:
    """The bars of files that are read once: reading twenty years of them at each look would be a sixth of the time."""

    histories: Mapping[str, History]
    on_network: bool = False
    name: str = "files"

    @classmethod
    def of(cls, folder: Path, symbols: Sequence[str]) -> "FeedInMemory":
        answers = FilesFeed(folder).fetch(symbols, first=date.min, last=date.max)
        return cls({symbol: one for symbol, one in answers.items() if isinstance(one, History)})

    def fetch(self, symbols: Sequence[str], *, first: date, last: date) -> Mapping[str, History | FeedError]:
        reach = slice(pd.Timestamp(first), pd.Timestamp(last))
        return {one: replace(self.histories[one], bars=self.histories[one].bars[reach]) for one in symbols}


def held(sessions: int) -> Held:
    gc.collect()
    found = re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found is not None
    return Held(
        sessions,
        int(found[1]),
        len([*Path("/proc/self/fd").iterdir()]),
        threading.active_count(),
        sys.getallocatedblocks(),
    )


@pytest.mark.slow
@pytest.mark.timeout(14_400)
def test_five_thousand_sessions_leave_memory_handles_and_threads_flat(tmp_path: Path, services_at: ServicesAt) -> None:
    folder = write_cheap(tmp_path / "soak", last=LAST, config=QUARTERLY)
    days = load_calendar("XNSE", first=date(2020, 3, 2), last=LAST).sessions[:SESSIONS]
    world, samples = World(utc("2020-03-02 03:20")), list[Held]()
    hold_together()  # as `run` does
    with born(folder, services_at, world) as loop, loop.waker.awake():
        feed = FeedInMemory.of(folder / "bars", ("AAA.NS", "BBB.NS"))
        loop.services = replace(loop.services, feed=WorldlyFeed(feed, world, feed.name, feed.on_network))
        for number, day in enumerate(days, 1):
            for moment in ("03:20", "14:30"):  # 08:50 and 20:00 in Kolkata, after a Muhurat evening too
                world.pass_until(utc(f"{day:%Y-%m-%d} {moment}"))
                loop.turn()
                loop.waker.wait(0)  # by the true clock, every wake was years ago
                assert loop.status == "", loop.status
            if number == 1:
                settle_in()  # as `run` does
            if number % SAMPLED_EVERY == 0:
                samples.append(held(number))
                print(samples[-1], flush=True)
        with reading(loop.services.engine) as conn:
            for kind in ("decide", "settle"):
                assert sorted(map(pd.Timestamp, done_runs(conn, LIVE, kind))) == list(days)
    half = samples[len(samples) // 2 :]
    slope = np.polyfit([one.sessions for one in half], [one.resident_kb for one in half], 1)[0]
    print(f"resident memory grows by {slope:.2f} kB a session")
    assert slope < ALLOWED_KB_A_SESSION
    assert len({(one.handles, one.threads) for one in half}) == 1, half
