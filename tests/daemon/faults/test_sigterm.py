"""Told to stop, the real process does: in a fetch that hangs, and when it has nothing to do."""

import time
from collections.abc import Sequence
from pathlib import Path

from tests.daemon.faults.cheap import become_yahoos
from tests.daemon.faults.process import Daemon, running
from tests.storage.feeds.yahoo_server import Yahoo, hangs, yahoo_server

SATURDAY = "2021-10-09T06:00:00Z"
STOPS_WITHIN_S = 30
SOON_S = 18
"""Before the kernel ends what does not end itself (`LAST_RESORT_S`), a start included."""
SYMBOLS = ("AAA.NS", "BBB.NS")
MIRRORED = """
from storage.feeds import yahoo
begin = yahoo.YahooFeed.__init__
yahoo.YahooFeed.__init__ = lambda self, **options: begin(self, **options, mirror={0!r})
"""
TOLD_IN_A_FINALIZER = """
import os, signal
from daemon.service import loop

class Last:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)

loop.settle_in = lambda: [Last()].clear()
"""


def test_in_a_fetch_that_hangs_it_ends_at_once_and_leaves_no_child(cheap: Path) -> None:
    become_yahoos(cheap)
    config = cheap / "config.toml"
    config.write_text(config.read_text().replace('"files"', '"yahoo"', 1))
    with yahoo_server() as yahoo:
        for symbol in SYMBOLS:
            yahoo.always[symbol] = hangs
        with running(cheap, SATURDAY, patch=MIRRORED.format(yahoo.url)) as daemon:
            wait_until_asked(yahoo, daemon)
            children = children_of(daemon)
            assert children
            stopped(daemon)
        assert not still_there_after(10, children)


def test_with_nothing_to_do_it_ends_at_once(cheap: Path) -> None:
    with running(cheap, "2021-10-05T12:00:00Z") as daemon:
        daemon.wait_for("next wake 2021-10-06 03:15Z")
        stopped(daemon)


def test_told_while_garbage_is_collected_where_python_drops_what_is_raised_it_ends_all_the_same(cheap: Path) -> None:
    with running(cheap, "2021-10-05T12:00:00Z", patch=TOLD_IN_A_FINALIZER) as daemon:
        assert daemon.process.wait(timeout=SOON_S) == 0, daemon.lines
        assert "stopped by SIGTERM" in daemon.lines[-1]


def stopped(daemon: Daemon) -> None:
    daemon.process.terminate()
    assert daemon.process.wait(timeout=STOPS_WITHIN_S) == 0, daemon.lines
    assert "stopped by SIGTERM" in daemon.lines[-1]


def wait_until_asked(yahoo: Yahoo, daemon: Daemon) -> None:
    end = time.monotonic() + 60
    while not any(map(yahoo.asked_for, SYMBOLS)):
        assert daemon.process.poll() is None, daemon.lines
        assert time.monotonic() < end, daemon.lines
        time.sleep(0.05)


def children_of(daemon: Daemon) -> list[int]:
    """All that it has started, and what these have."""
    found = []
    for path in Path(f"/proc/{daemon.process.pid}/task").glob("*/children"):
        found += [int(word) for word in path.read_text().split()]
    return found


def still_there_after(seconds: float, processes: Sequence[int]) -> list[str]:
    """Command lines; that of Python's own janitor of processes ends when it finds its parent gone."""
    end = time.monotonic() + seconds
    while (lines := [line for one in processes if (line := command_line(one))]) and time.monotonic() < end:
        time.sleep(0.05)
    return lines


def command_line(process: int) -> str:
    """Empty where it has ended."""
    try:
        return Path(f"/proc/{process}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""
