"""What a person types, what they read, and what a script gets back: in a process of its own."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("reliance-daemon")
HEAVY = (
    "tensorflow",
    "keras",
    "lightgbm",
    "numba",
    "pyarrow",
    "scipy",
    "sklearn",
    "yfinance",
    "alembic",
    "optuna",
    "google.cloud",
)
SESSION_WITHOUT_TRAINING = """
import sys
sys.argv = ["reliance-daemon", "--config", sys.argv[1], "run-once", "--now", "2021-10-06T03:20:00Z"]
from daemon.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print("loaded:", *sorted(name for name in sys.argv_heavy if name in sys.modules))
"""


def command(folder: Path, *arguments: str) -> list[str]:
    return [str(PROGRAM), "--config", str(folder / "config.toml"), *arguments]


def call(folder: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return finished(command(folder, *arguments), os.environ | environment)


def finished(words: Sequence[str], environment: Mapping[str, str] = os.environ) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=False)


def refused(result: "subprocess.CompletedProcess[str]", code: int) -> str:
    """The one line that a refused command ends with."""
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    return result.stderr.splitlines()[-1]


@pytest.mark.parametrize(("wanted", "threads"), [({}, "1"), ({"OPENBLAS_NUM_THREADS": "2"}, "2")])
def test_the_programs_own_products_take_one_thread_unless_somebody_wants_more(
    wanted: dict[str, str], threads: str
) -> None:
    program = (
        "import daemon.cli, numpy, threadpoolctl\n"
        "print(*(pool['num_threads'] for pool in threadpoolctl.threadpool_info() if 'numpy' in pool['filepath']))"
    )
    plain = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    assert finished([sys.executable, "-c", program], plain | wanted).stdout.split() == [threads]


def test_a_session_is_decided_shown_and_not_decided_again(copy: Path) -> None:
    first = call(copy, "run-once", "--now", "2021-10-06T03:20:00Z")
    assert first.returncode == 0, first.stderr
    title = "Forecasts for Wednesday 2021-10-06"
    for expected in (title, "Venn-Abers", "open_to_close", "Signals for 2021-10-06", "sqlite3"):
        assert expected in first.stdout
    assert re.search(r"0\.\d{3} to 0\.\d{3}", first.stdout)
    again = call(copy, "run-once", "--now", "2021-10-06T03:20:00Z")
    assert "Nothing was left to do." in again.stdout
    assert "Signals for 2021-10-06" in again.stdout


@pytest.mark.parametrize("found", ["", os.environ["PATH"]])
def test_the_query_that_it_ends_with_runs_as_printed(found: str, copy: Path) -> None:
    shown = call(copy, "run-once", "--now", "2021-10-06T03:20:00Z", PATH=found)
    line = shown.stdout.split("Ask more:\n")[1].splitlines()[0]
    answer = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=60, check=True)
    assert "AAA.NS" in answer.stdout


def test_a_session_without_training_loads_no_heavy_library(copy: Path) -> None:
    script = SESSION_WITHOUT_TRAINING.replace("sys.argv_heavy", repr(HEAVY))
    result = finished([sys.executable, "-c", script, str(copy / "config.toml")])
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "loaded:"
    assert "decide 2021-10-06" in result.stderr


def test_json_is_what_a_script_can_read(copy: Path) -> None:
    done = json.loads(call(copy, "run-once", "--now", "2021-10-06T03:20:00Z", "--json").stdout)
    assert done["done"] == ["decide 2021-10-06"]
    (one,) = json.loads(call(copy, "signals", "--json").stdout)
    assert (one["session"], one["symbol"]) == ("2021-10-06", "AAA.NS")
    assert done["signals"] == [one]
    assert {"probability", "probability_low", "probability_high"} < one.keys()
    state = json.loads(call(copy, "status", "--json").stdout)
    assert state["runs"][0]["session"] == "2021-10-06"
    assert state["account"]["session"] == "2021-10-05"


def test_forecasts_are_exported_with_their_origin(copy: Path) -> None:
    replay = call(copy, "backtest", "--from", "2021-10-04", "--to", "2021-10-05", "--now", "2021-10-05T13:00:00Z")
    assert replay.returncode == 0, replay.stderr
    assert "95 % interval" in replay.stdout
    out = copy / "forecasts.csv"
    export = call(copy, "forecasts", "export", "--from", "2021-10-05", "--to", "2021-10-05", "--out", str(out))
    assert export.returncode == 0, export.stderr
    lines = out.read_text().splitlines()
    assert lines[0] == "session,symbol,label,probability,origin,probability_low,probability_high"
    assert len(lines) == 1 + 2 * 4 * 2  # two symbols, four labels, live and backtest


def test_status_and_signals_of_a_fresh_installation_say_what_to_do(
    tmp_path: Path, write_installation: Callable[[Path], Path]
) -> None:
    folder = write_installation(tmp_path / "fresh")
    for reading in ("status", "signals"):
        assert "reliance-daemon run-once" in refused(call(folder, reading), 1)


def test_the_configuration_in_effect_is_shown_and_checked(copy: Path) -> None:
    assert "in order" in call(copy, "config", "check").stdout
    assert "min_confidence = 0.5" in call(copy, "config", "show").stdout
    assert json.loads(call(copy, "config", "show", "--json").stdout)["risk"]["stop_loss_pct"] == 2.0


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("[signals]\nmin_confidense = 0.6", 'did you mean "min_confidence"?'),
        ("[risk]\nposition_pct = 140", "risk.position_pct was 140; it must be at most 100."),
        ("[risk\n", "config.toml"),
    ],
)
@pytest.mark.parametrize("job", [("config", "check"), ("run-once",), ("status",)])
def test_a_bad_configuration_is_one_line_and_exit_78(
    job: tuple[str, ...], line: str, expected: str, tmp_path: Path
) -> None:
    (tmp_path / "config.toml").write_text(line)
    result = call(tmp_path, *job)
    assert expected in refused(result, 78)
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "state").exists()


def test_an_unknown_symbol_is_named_with_its_likely_spelling(
    tmp_path: Path, write_installation: Callable[[Path], Path]
) -> None:
    folder = write_installation(tmp_path / "unknown")
    config = folder / "config.toml"
    config.write_text(config.read_text().replace('["AAA.NS"]', '["AAB.NS"]'))
    line = refused(call(folder, "run-once", "--now", "2021-10-06T03:20:00Z"), 1)
    assert "AAB.NS" in line
    assert 'did you mean "AAA.NS"?' in line


def test_a_second_instance_names_the_first_and_exits_75(copy: Path) -> None:
    with running(copy) as first:
        line = refused(call(copy, "run-once"), 75)
        assert f"process {first.pid} already works" in line
        assert call(copy, "signals").returncode == 0  # looking needs no lock


def test_sigterm_ends_the_daemon_in_the_middle_of_its_work(copy: Path) -> None:
    with running(copy) as daemon:
        wait_for_line(daemon, "training the models")  # years to catch up with: it would take hours
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(timeout=20) == 0
    with running(copy) as daemon:  # the lock went with the process
        assert daemon.poll() is None


def hear_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_says_that_what_was_finished_is_kept(copy: Path) -> None:
    words = command(copy, "run-once", "--now", "2021-11-01T03:20:00Z")
    with subprocess.Popen(
        words,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        preexec_fn=hear_ctrl_c,  # noqa: PLW1509 - a shell's background job ignores it, and so would all it starts
    ) as process:
        wait_for_line(process, "2021-11: training the models")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert said.splitlines()[-1].startswith("interrupted; what was finished is kept")


def test_a_killed_daemon_leaves_no_children_and_goes_on_where_it_was(copy: Path) -> None:
    with running(copy) as daemon:
        wait_for_line(daemon, "training the models")
        children = wait_for_children(daemon.pid)
        daemon.kill()
        daemon.wait(timeout=10)
        end = time.monotonic() + 10
        while any(Path(f"/proc/{child}/cmdline").exists() for child in children) and time.monotonic() < end:
            time.sleep(0.1)
        assert not [child for child in children if Path(f"/proc/{child}/cmdline").exists()]
    assert call(copy, "signals").returncode == 0


def test_a_daemon_whose_feed_is_down_says_so_and_stays(copy: Path) -> None:
    (copy / "bars" / "AAA.NS.csv").unlink()
    with running(copy) as daemon:
        wait_for_line(daemon, "FeedError")
        assert daemon.poll() is None


def test_a_state_folder_that_cannot_be_made_is_one_line(copy: Path) -> None:
    (copy / "file").write_text("in the way")
    result = call(copy, "run-once", RELIANCE_DAEMON__STORAGE__STATE_DIR=str(copy / "file" / "state"))
    assert "storage.state_dir" in refused(result, 1)


def test_a_read_only_database_is_one_line_and_stays_as_it_was(copy: Path) -> None:
    database = copy / "state" / "signals.db"
    before = database.read_bytes()
    url = f"sqlite:///file:{database}?mode=ro&uri=true"
    result = call(copy, "run-once", "--now", "2021-10-06T03:20:00Z", RELIANCE_DAEMON__STORAGE__URL=url)
    assert "is read-only" in refused(result, 1)
    assert database.read_bytes() == before


@pytest.mark.parametrize("arguments", [("run-twice",), ("run-once", "--now", "yesterday"), ("backtest", "--from", "x")])
def test_wrong_usage_exits_2(arguments: tuple[str, ...], copy: Path) -> None:
    assert call(copy, *arguments).returncode == 2


def test_debug_shows_where_it_went_wrong(copy: Path) -> None:
    (copy / "bars" / "AAA.NS.csv").unlink()
    assert "Traceback" in call(copy, "--debug", "run-once", "--now", "2021-10-06T03:20:00Z").stderr


def test_the_state_is_for_its_owner_alone(copy: Path) -> None:
    call(copy, "run-once", "--now", "2021-10-06T03:20:00Z")
    assert (copy / "state" / "reliance-daemon.log").stat().st_mode & 0o077 == 0


@contextmanager
def running(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """`reliance-daemon run`, started, and ended whatever happens."""
    with subprocess.Popen(command(folder, "run"), stderr=subprocess.PIPE, text=True) as process:
        try:
            wait_for_line(process, "started")
            yield process
        finally:
            process.terminate()


def wait_for_children(parent: int) -> list[int]:
    """The training processes, once there are any."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        listed = [path.read_text() for path in Path(f"/proc/{parent}/task").glob("*/children")]
        if any(listed):
            return [int(word) for word in " ".join(listed).split()]
        time.sleep(0.1)
    raise AssertionError("no training process within 30 s")


def wait_for_line(process: "subprocess.Popen[str]", word: str) -> None:
    assert process.stderr is not None
    end = time.monotonic() + 30
    while time.monotonic() < end:
        line = process.stderr.readline()
        if word in line:
            return
        assert line or process.poll() is None, "the process ended before it said so"
    raise AssertionError(f"no line with {word!r} within 30 s")
