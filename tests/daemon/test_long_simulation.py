"""Years of a daemon's life, disturbed in every way that a seed thinks of, end as an undisturbed one does.

Loop, jobs, ledger, account, stores and ingest are the real ones; clock, feed, disk and kills are made up, in
`simulation/`. Patient lives: what goes wrong is over before the next open, and the database must be equal, row by
row. Hard ones have outages of up to 30 sessions, feeds and disks gone for days, suspends, and bars that come weeks
late; then each session must be done once, the late ones must be those that opened in trouble, whatever knew the same
must have said the same, and the account must be what signals and bars make it. Sleepy ones are hard, and their machine
is awake now and then only: days or weeks are caught up at once, and a kill comes in the middle of it.
`SIMULATED_YEARS=20` lives so many years instead of a thousand, `SIMULATED_FIRST=400` goes on with a run that was broken
off. A seed that fails says how to live it again.
"""

import os
import shutil
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from loguru import logger

from tests.daemon.simulation.checks import check_equal, check_whole, withhold
from tests.daemon.simulation.living import live
from tests.daemon.simulation.market import BEGIN, LivedMarket, live_undisturbed

YEARS = int(os.environ.get("SIMULATED_YEARS", "1000"))
FIRST = int(os.environ.get("SIMULATED_FIRST", "0"))
ONE_SEED = os.environ.get("SIMULATED_SEED")
LIVES = ("patient", "hard", *["sleepy"] * 18)
"""In turn: a sleepy year takes a quarter of the time of a hard one."""
SESSIONS_A_YEAR = 247
SEEDS_A_MARKET = 100
IN_MEMORY = Path("/dev/shm")


@pytest.fixture
def folder() -> Iterator[Path]:
    """In memory where that is possible."""
    with TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as path:
        yield Path(path)


def disturbed(seed: int, market: LivedMarket, folder: Path) -> str:
    """What went wrong with that seed, and how to see it again; empty when nothing did."""
    home = Path(shutil.copytree(market.begun, folder / f"seed-{seed}"))
    life = LIVES[seed % len(LIVES)]
    world = market.world(seed, patient=life == "patient", sleepy=life == "sleepy")
    if life != "patient":
        withhold(world, market, count=6)
    logger.remove()
    try:
        live(home, market.bars, world)
        if life == "patient":
            check_equal(home, market)
        check_whole(home, market, world)
    except Exception:
        told = "\n".join(world.happened[-40:])
        again = f"SIMULATED_SEED={seed} pytest -m slow tests/daemon/test_long_simulation.py"
        return f"seed {seed}; live it again: {again}\n{told}\n{traceback.format_exc()}"
    finally:
        shutil.rmtree(home)
    return ""


@pytest.fixture(scope="module")
def few_weeks(tmp_path_factory: pytest.TempPathFactory) -> LivedMarket:
    return live_undisturbed(tmp_path_factory.mktemp("market"), market=4, sessions=12)


def test_undisturbed_every_session_is_decided_in_time_and_settled(few_weeks: LivedMarket) -> None:
    runs, signals = few_weeks.kept["runs"], few_weeks.kept["signals"]
    assert runs.groupby("kind")["session"].nunique().to_dict() == {"decide": 13, "settle": 13}
    assert set(runs["status"]) == {"done"}
    assert set(signals.loc[signals["session"] >= BEGIN, "late"]) == {0}  # it was begun after the open of the one before


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_some_weeks_disturbed_end_as_undisturbed_ones(seed: int, few_weeks: LivedMarket, folder: Path) -> None:
    assert disturbed(seed, few_weeks, folder) == ""


@pytest.fixture(scope="module")
def one_year(tmp_path_factory: pytest.TempPathFactory) -> LivedMarket:
    return live_undisturbed(tmp_path_factory.mktemp("market"), market=5, sessions=SESSIONS_A_YEAR, at_once=True)


@pytest.mark.timeout(600)
def test_years_asleep_but_now_and_then_end_as_an_undisturbed_one(one_year: LivedMarket, folder: Path) -> None:
    assert [disturbed(seed, one_year, folder) for seed in (2, 3)] == ["", ""]


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_years_disturbed_end_as_undisturbed_ones(folder: Path) -> None:
    seeds = list(range(FIRST, YEARS)) if ONE_SEED is None else [int(ONE_SEED)]
    failures = list[str]()
    for first in range(0, max(seeds) + 1, SEEDS_A_MARKET):
        ours = [seed for seed in seeds if first <= seed < first + SEEDS_A_MARKET]
        if ours:
            home = folder / f"market-{first}"
            market = live_undisturbed(home, market=first, sessions=SESSIONS_A_YEAR)
            failures += filter(None, _all_disturbed(ours, market, home))
            shutil.rmtree(home)
    assert not failures, "\n\n".join(failures)


def _all_disturbed(seeds: Sequence[int], market: LivedMarket, folder: Path) -> Iterator[str]:
    """One process a core."""
    workers = int(os.environ.get("SIMULATED_WORKERS", os.cpu_count() or 1))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for number, told in enumerate(pool.map(partial(disturbed, market=market, folder=folder), seeds)):
            print(f"seed {seeds[number]}: {told or 'equal'}", flush=True)
            yield told
