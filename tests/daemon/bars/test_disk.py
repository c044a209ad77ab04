"""On a disk that is really full, or read-only, one line says so, nothing is lost, and work goes on once it can."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.storage.small_disk import on_a_small_disk

# Filled up to what is left, an attempt, room made, another attempt; and the same session where nothing was ever full.
DECIDE = """
import json, shutil, sys
from pathlib import Path
from typer.testing import CliRunner
from daemon.cli import app
from storage.sqlite_file import opened
template, place = Path(sys.argv[1]), Path(sys.argv[2])
filler = place / "filler"
def attempt(folder):
    words = ["--config", str(folder / "config.toml"), "run-once", "--now", "2021-10-06T03:20:00Z"]
    result = CliRunner().invoke(app, words)
    return result.exit_code, str(result.exception or "")
def rows(folder):
    with opened(folder / "state" / "signals.db") as database:
        return [database.execute(f"SELECT * FROM {name} ORDER BY 1, 2, 3, 4").fetchall()
                for name in ("bars", "forecasts", "signals", "runs", "account_events")]
def fill(leave):
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
        file.truncate(max(filler.stat().st_size - leave, 0))
undisturbed = shutil.copytree(template, place / "undisturbed")
assert attempt(undisturbed) == (0, "")
expected, tried = rows(undisturbed), []
for leave in (0, 8_192, 32_768):
    folder = shutil.copytree(template, place / "copy")
    before = rows(folder)
    fill(leave)
    code, said = attempt(folder)
    drafts = [path.name for path in folder.rglob(".draft*")]
    kept = rows(folder)[1:3] == before[1:3]  # forecasts and signals: all of the session's or none
    filler.unlink()
    tried.append([code, said, drafts, kept, attempt(folder), rows(folder) == expected])
    shutil.rmtree(folder)
print(json.dumps(tried))
"""


def test_a_session_on_a_full_disk_is_one_line_and_is_done_once_there_is_room(copy: Path, tmp_path: Path) -> None:
    place = tmp_path / "small"
    place.mkdir()
    size_kb = 3 * sum(path.stat().st_size for path in copy.rglob("*") if path.is_file()) // 1024 + 3000
    tried: list[Any] = json.loads(on_a_small_disk(place, size_kb, DECIDE, copy, place))
    for code, said, drafts, kept, again, equal in tried:
        if code:
            assert "space" in said
            assert "\n" not in said
            assert kept
        assert drafts == []
        assert again == [0, ""]
        assert equal
    assert [code for code, *_ in tried][:2] == [1, 1]


# Whole histories, then all of one symbol anew after a split; each at every amount of room that is not enough for it.
READ_BARS = """
import json, shutil, sys
from datetime import datetime
from pathlib import Path
import pandas as pd
from loguru import logger
from daemon.clock import FixedClock
from daemon.sessions.desk import home_calendar
from daemon.bars.backfill import backfill
from daemon.bars.ingest import ingest
from daemon.console.progress import silent
from daemon.services import Services
from daemon.config.settings import load_settings
from storage.engine import StoreError, open_store
from storage.feeds import open_feed
from storage.model_store import ModelStore
from storage.sqlite_file import opened
logger.remove()
template, place = Path(sys.argv[1]), Path(sys.argv[2])
def attempt(folder, work, now):
    settings = load_settings(folder / "config.toml", {})
    try:
        engine = open_store(settings.storage.database_url)
    except StoreError as error:
        return str(error)
    try:
        work(Services(settings, FixedClock(datetime.fromisoformat(now)), engine,
                      ModelStore(settings.storage.models_dir), open_feed(settings.feed), silent))
    except StoreError as error:
        return str(error)
    finally:
        engine.dispose()
    return ""
def read(services):
    ingest(services, home_calendar(services.settings, services.clock.now()))
def rows(folder):
    with opened(folder / "state" / "signals.db") as database:
        found = {}
        for row in database.execute("SELECT * FROM bars ORDER BY 1, 2, 3"):
            found.setdefault(row[0], []).append(row)
        return found, database.execute("SELECT * FROM restatements").fetchall()
def fill(leave):
    with (place / "filler").open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
        file.truncate(max((place / "filler").stat().st_size - leave, 0))
def split(folder):
    path = folder / "bars" / "AAA.NS.csv"
    bars = pd.read_csv(path)
    bars.loc[bars["Date"] < "2021-10-04", ["Open", "High", "Low", "Close", "Adj Close"]] /= 2
    bars.to_csv(path, index=False)
tried = []
begun = Path(shutil.copytree(template, place / "begun"))
open_store(load_settings(begun / "config.toml", {}).storage.database_url).dispose()
filled = Path(shutil.copytree(begun, place / "filled"))
assert attempt(filled, backfill, "2021-10-01T14:30:00+00:00") == ""
restated = Path(shutil.copytree(filled, place / "restated"))
split(restated)
whole = Path(shutil.copytree(restated, place / "whole"))
assert attempt(whole, read, "2021-10-05T14:30:00+00:00") == ""
for before, work, after, now in (
    (begun, backfill, filled, "2021-10-01T14:30:00+00:00"), (restated, read, whole, "2021-10-05T14:30:00+00:00")
):
    for leave in range(0, 10_000_000, 131_072):
        folder = Path(shutil.copytree(before, place / "copy"))
        fill(leave)
        said = attempt(folder, work, now)
        (place / "filler").unlink()
        (bars, _), (old, _), (new, told) = rows(folder), rows(before), rows(after)
        each = [bars.get(symbol) in (old.get(symbol), new[symbol]) for symbol in new]
        again = attempt(folder, work, now)
        tried.append([work.__name__, leave, said, all(each), len(bars), again, rows(folder) == (new, told)])
        shutil.rmtree(folder)
        if not said:
            break
print(json.dumps(tried))
"""
NO_ROOM = r"storage\.url \S+ (can't grow|met a disk error) \([\w/ ]+\); .* space.* try again\."


@pytest.mark.slow
def test_bars_that_find_no_room_are_one_line_and_each_symbol_is_whole_or_as_it_was(
    write_installation: Callable[[Path], Path], tmp_path: Path
) -> None:
    place, template = tmp_path / "small", write_installation(tmp_path / "template")
    place.mkdir()
    tried = json.loads(on_a_small_disk(place, 16_000, READ_BARS, template, place))
    for work, leave, said, whole, _, again, equal in tried:
        assert not said or re.fullmatch(NO_ROOM, said)
        assert (whole, again, equal) == (True, "", True), (work, leave)
    failed = [(work, symbols) for work, _, said, _, symbols, *_ in tried if said]
    assert {symbols for work, symbols in failed if work == "backfill"} >= {0, 2}
    assert [work for work, _ in failed].count("read") > 1


FILL_LOG = """
import io, json, sys
from pathlib import Path
from loguru import logger
from daemon.console.log import LogOptions, open_log
place, sys.stderr = Path(sys.argv[1]), io.StringIO()
open_log(place, LogOptions(), debug=False, quiet=True)
logger.info("before")
with (place / "filler").open("wb", buffering=0) as filler:
    try:
        while filler.write(bytes(512)):
            pass
    except OSError:
        pass
for number in range(200):
    logger.info("line {} {}", number, "x" * 100)
(place / "filler").unlink()
logger.info("after")
logger.remove()
kept = [line.split("INFO    ")[1].split()[0] for line in (place / "reliance-daemon.log").read_text().splitlines()]
print(json.dumps([kept, sys.stderr.getvalue().splitlines()]))
"""


def test_a_log_without_room_loses_whole_lines_and_its_beginning_and_end_are_told(tmp_path: Path) -> None:
    place = tmp_path / "small"
    place.mkdir()
    kept, told = json.loads(on_a_small_disk(place, 64, FILL_LOG, place))
    lost, file = 202 - len(kept), place / "reliance-daemon.log"
    assert kept == ["before", *["line"] * (len(kept) - 2), "after"]
    assert lost > 0
    assert told == [
        f"log: {file} can't be written (No space left on device); free some space or mend its rights",
        f"log: {file} is written again; it lacks {lost} lines",
    ]


PUBLISH = """
import json, os, sys
from pathlib import Path
from storage.model_store import ModelStore, ModelStoreError
place = Path(sys.argv[1])
store, said = ModelStore(place / "models"), []
store.put_part("small", {"odds.npz": b"x"})
for _ in range(3):
    try:
        store.put_part("large", {"member.json": b"{}", "weights.npz": os.urandom(500_000)})
    except ModelStoreError as error:
        said.append(str(error))
print(json.dumps([said, sorted(path.name for path in (place / "models" / "parts").iterdir())]))
"""


def test_a_model_without_room_is_one_line_and_takes_none(tmp_path: Path) -> None:
    place = tmp_path / "small"
    place.mkdir()
    said, parts = json.loads(on_a_small_disk(place, 256, PUBLISH, place))
    line = f"model folder {place}/models cannot be written: No space left on device; free space or mend its rights."
    assert said == [line] * 3
    assert parts == ["small"]


LOOK = """
import json, subprocess, sys
from pathlib import Path
import shutil
from typer.testing import CliRunner
from daemon.cli import app
folder = Path(shutil.copytree(sys.argv[1], Path(sys.argv[2]) / "copy"))
subprocess.run(["mount", "-o", "remount,ro", sys.argv[2]], check=True)
def call(*words):
    result = CliRunner().invoke(app, ["--config", str(folder / "config.toml"), *words])
    return result.exit_code, result.output or str(result.exception)
now = ["--now", "2021-10-05T16:00:00Z"]
print(json.dumps([call("status", *now), call("signals"), call("db", "check"), call("run-once", *now), call("doctor")]))
"""


def test_on_a_read_only_disk_one_looks_and_is_told_and_nothing_is_done(copy: Path, tmp_path: Path) -> None:
    place = tmp_path / "small"
    place.mkdir()
    (looked, status), (shown, signals), (whole, check), (done, said), (examined, doctor) = json.loads(
        on_a_small_disk(place, 20_000, LOOK, copy, place)
    )
    assert (looked, shown, whole, done, examined) == (0, 0, 0, 1, 1)
    assert "Account" in status
    assert "AAA.NS" in signals
    assert "whole" in check
    assert said.startswith("storage.state_dir ")
    assert "cannot be written: Read-only file system" in said
    assert "lies on a file system that is mounted read-only; mount it read-write" in doctor
