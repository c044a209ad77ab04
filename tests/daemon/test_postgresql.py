"""The daemon with its database on a PostgreSQL server: the same rows, whatever happens to it or to the server."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Engine, event, make_url, select, text

from daemon.errors import AlreadyRunning
from daemon.services import Services
from daemon.sessions.reconcile import reconcile
from storage.engine import is_away, open_store, reading
from storage.schema import METADATA
from storage.tables import data_dictionary
from storage.views import VIEWS
from tests.daemon.faults.process import running
from tests.daemon.loop_by_hand import SetClock, loop_under
from tests.postgresql_server import PASSWORD, PostgresqlServer

pytestmark = pytest.mark.slow

ServicesAt = Callable[..., AbstractContextManager[Services]]
Rows = dict[str, list[tuple[Any, ...]]]
ROOT = Path(__file__).parents[2]
OF_THE_CLOCK = {"v_run_health": ["age_hours"]}
LOOKING = (
    *(["status"], ["signals", "--json"], ["account"], ["positions"], ["trades"], ["db", "check"], ["cache", "list"]),
    ["forecasts", "export", "--from", "2021-09-28", "--to", "2021-10-05", "--out", "-"],
    ["verify", "--since", "2021-09-28"],
    *(["explain", "newest"], ["db", "ask", "hit-rate-by-confidence"]),
)


@pytest.fixture
def url(server: PostgresqlServer) -> Iterator[str]:
    """An empty database on the server."""
    made = server.new_database()
    yield made
    server.drop(made)


def keep_on_server(folder: Path, url: str) -> None:
    """The installation's database is that one from now on."""
    config = folder / "config.toml"
    config.write_text(f'{config.read_text()}\n[storage]\nurl = "{url}"\n')
    config.chmod(0o600)


def live(folder: Path, sessions: tuple[str, ...], services_at: ServicesAt) -> None:
    for session in sessions:
        for moment in ("08:50", "17:00"):
            with services_at(folder, f"{session} {moment}") as services:
                reconcile(services)


def tables(engine: Engine) -> Rows:
    """Every row of every table, in order of the keys."""
    with reading(engine) as conn:
        return {
            table.name: [tuple(row) for row in conn.execute(select(table).order_by(*table.primary_key.columns))]
            for table in METADATA.sorted_tables
            if table is not data_dictionary
        }


def tables_at(url: str) -> Rows:
    """The same of the database at `url`, which is left alone."""
    engine = open_store(url, read_only=True)
    try:
        return tables(engine)
    finally:
        engine.dispose()


def views(engine: Engine) -> dict[str, pd.DataFrame]:
    """Every view, without what the clock makes of it."""
    with reading(engine) as conn:
        frames = {view.name: pd.read_sql(text(f"SELECT * FROM {view.name}"), conn) for view in VIEWS}
    plain = {name: frame.drop(columns=OF_THE_CLOCK.get(name, [])) for name, frame in frames.items()}
    return {name: frame.sort_values(list(frame.columns), ignore_index=True) for name, frame in plain.items()}


def opened(url: str) -> Engine:
    return open_store(url, read_only=True)


def command(folder: Path, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    call = [
        sys.executable,
        "-c",
        "from daemon.cli import main; main()",
        "--config",
        f"{folder / 'config.toml'}",
        *words,
    ]
    return subprocess.run(
        call, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120, env={**os.environ, **environment}
    )


@pytest.fixture(scope="module")
def lived_on_server(
    server: PostgresqlServer,
    sessions: tuple[str, ...],
    services_at: ServicesAt,
    write_installation: Callable[[Path], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Path, str]]:
    """What `lived` is, with its database on the server: folder and URL."""
    url, folder = server.new_database(), write_installation(tmp_path_factory.mktemp("on_server"))
    keep_on_server(folder, url)
    live(folder, sessions, services_at)
    yield folder, url
    server.drop(url)


@pytest.fixture
def copy_on_server(
    server: PostgresqlServer, lived_on_server: tuple[Path, str], tmp_path: Path
) -> Iterator[tuple[Path, str]]:
    """A copy of both, to be changed."""
    folder = Path(shutil.copytree(lived_on_server[0], tmp_path / "on_server"))
    url = server.new_database(template=make_url(lived_on_server[1]).database or "")
    config = folder / "config.toml"
    config.write_text(config.read_text().replace(lived_on_server[1], url))
    yield folder, url
    server.drop(url)


def test_the_same_bars_make_the_same_rows_on_a_server_as_in_a_file(
    lived: Path, lived_on_server: tuple[Path, str]
) -> None:
    in_file, on_server = opened(f"sqlite:///{lived / 'state' / 'signals.db'}"), opened(lived_on_server[1])
    expected, found = tables(in_file), tables(on_server)
    assert len(expected["forecasts"]) > 40
    assert len(expected["bars"]) > 3000
    assert [name for name in expected if found[name] != expected[name]] == []
    for name, frame in views(in_file).items():
        pd.testing.assert_frame_equal(views(on_server)[name], frame, check_dtype=False, rtol=1e-12)
    in_file.dispose()
    on_server.dispose()


def test_a_backtest_on_a_server_equals_what_was_lived(
    lived: Path, copy_on_server: tuple[Path, str], sessions: tuple[str, ...], tmp_path: Path
) -> None:
    folder, url = copy_on_server
    span = ("--from", sessions[0], "--to", sessions[-1], "--now", "2021-10-05T12:00:00Z", "--json")
    shutil.copytree(lived, tmp_path / "copy")
    on_server, in_file = command(folder, "backtest", *span), command(tmp_path / "copy", "backtest", *span)
    assert on_server.returncode == 0, on_server.stderr
    assert on_server.stdout == in_file.stdout
    rows = tables_at(url)
    for name in ("signals", "trades", "account"):
        made = [row[1:] for row in rows[name] if row[0] == "backtest"]
        assert len(made) == len([row for row in rows[name] if row[0] == "live"])


def test_every_command_that_looks_works_for_a_role_that_may_only_read(
    server: PostgresqlServer, lived_on_server: tuple[Path, str]
) -> None:
    folder, url = lived_on_server
    name = make_url(url).database or ""
    server.execute(
        f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader",
        database=name,
    )
    by_reader = {"RELIANCE_DAEMON__STORAGE__URL": server.url(name, role="reader")}
    for words in LOOKING:
        said = command(folder, *words, **by_reader)
        assert said.returncode == (1 if words == ["status"] else 0), said.stderr  # the fixture's sessions are years ago
        assert said.stderr == "" or words[0] in ("forecasts", "verify")
        assert PASSWORD not in said.stdout + said.stderr
    refused = command(folder, "halt", **by_reader)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "may not be used so (permission denied" in refused.stderr
    server.execute("DROP OWNED BY reader", "DROP ROLE reader", database=name)


def test_an_instance_on_another_host_is_refused_and_told_who_is_first(
    lived_on_server: tuple[Path, str], tmp_path: Path
) -> None:
    folder, url = lived_on_server
    first = open_store(url, owner="process 7 on albatross")
    other = shutil.copytree(folder, tmp_path / "other_host")
    second = command(other, "run-once", "--now", "2021-10-06T03:20:00Z")
    assert second.returncode == 75
    assert "is worked on by process 7 on albatross already" in second.stderr
    assert len(second.stderr.splitlines()) == 1
    first.dispose()


def test_a_wrong_password_ends_each_command_in_one_line_without_it(
    lived_on_server: tuple[Path, str], tmp_path: Path
) -> None:
    folder, url = lived_on_server
    wrong = make_url(url).set(password="cAnAry").render_as_string(hide_password=False)
    for words in (["run-once"], ["status"], ["db", "check"], ["doctor"]):
        said = command(folder, *words, RELIANCE_DAEMON__STORAGE__URL=wrong)
        assert said.returncode == 1
        assert "password authentication failed" in said.stdout + said.stderr
        assert "cAnAry" not in said.stdout + said.stderr
    assert "cAnAry" not in "".join(path.read_text() for path in (folder / "state").glob("log/*"))


def test_a_server_that_is_gone_for_a_session_is_one_line_and_the_session_is_done_when_it_is_back(
    server: PostgresqlServer,
    lived: Path,
    url: str,
    write_installation: Callable[[Path], Path],
    services_at: ServicesAt,
    sessions: tuple[str, ...],
    lines: list[str],
    tmp_path: Path,
) -> None:
    folder = write_installation(tmp_path / "installation")
    shutil.copytree(lived / "state" / "models", folder / "state" / "models")
    keep_on_server(folder, url)
    live(folder, sessions[:-1], services_at)
    with services_at(folder, f"{sessions[-1]} 08:50") as services:
        loop = loop_under(SetClock(services.clock.now()), services)
        server.stop()
        try:
            lines.clear()
            loop.turn()
            told = [line for line in lines if "can't be used" in line]
            assert len(told) == 1
            assert "failed, StoreError" in loop.status
        finally:
            server.start()
        loop.turn()
        assert loop.status == ""
    live(folder, sessions[-1:], services_at)
    expected, found = tables_at(f"sqlite:///{lived / 'state' / 'signals.db'}"), tables_at(url)
    assert [name for name in expected if found[name] != expected[name]] == []


def cut_off(server: PostgresqlServer, url: str) -> None:
    """Every session of the database ends at once."""
    server.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{make_url(url).database}'")


@pytest.mark.parametrize("statements", [0, 1, 12, 40, 50])
def test_cut_off_between_two_turns_or_after_any_statement_of_one_it_does_all_of_it_and_nothing_twice(
    statements: int,
    server: PostgresqlServer,
    lived: Path,
    copy_on_server: tuple[Path, str],
    services_at: ServicesAt,
    tmp_path: Path,
) -> None:
    (folder, url), in_file = copy_on_server, Path(shutil.copytree(lived, tmp_path / "in_file"))
    live(in_file, ("2021-10-06",), services_at)
    left = statements

    def count(*_: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            cut_off(server, url)

    for moment in ("08:50", "17:00"):
        with services_at(folder, f"2021-10-06 {moment}") as services:
            loop, left = loop_under(SetClock(services.clock.now()), services), statements
            services.engine.connect().close()
            if statements == 0:
                cut_off(server, url)
            event.listen(services.engine, "after_cursor_execute", count)
            loop.turn()
            assert ("failed, StoreError" in loop.status) == (left <= 0 < statements)
            loop.turn()
            assert loop.status == ""
            assert left <= 0
    expected, found = tables_at(f"sqlite:///{in_file / 'state' / 'signals.db'}"), tables_at(url)
    assert [name for name in expected if found[name] != expected[name]] == []


def test_run_waits_for_its_server_and_goes_on_when_it_comes(
    server: PostgresqlServer, copy_on_server: tuple[Path, str]
) -> None:
    folder, _ = copy_on_server
    server.stop()
    try:
        with running(folder, "2021-10-05T16:00:00Z") as daemon:
            said = daemon.wait_for("it is waited for until it answers")
            assert "storage.url postgresql://" in said
            assert PASSWORD not in said
            time.sleep(2)
            assert daemon.process.poll() is None
            server.start()
            daemon.wait_for("database: its server answers, after")
            daemon.wait_for("started; forecasts for AAA.NS")
            assert len([line for line in daemon.lines if "can't be used" in line]) == 1
    finally:
        if is_away(server.url("postgres")):
            server.start()


def test_run_does_not_wait_for_a_password_to_become_right(
    server: PostgresqlServer, lived_on_server: tuple[Path, str]
) -> None:
    folder, url = lived_on_server
    wrong = make_url(url).set(password="cAnAry").render_as_string(hide_password=False)
    said = command(folder, "run", RELIANCE_DAEMON__STORAGE__URL=wrong)
    assert said.returncode == 1
    assert "password authentication failed" in said.stderr


def test_an_instance_whose_place_another_took_while_the_server_was_away_ends(
    server: PostgresqlServer, copy_on_server: tuple[Path, str], services_at: ServicesAt
) -> None:
    folder, url = copy_on_server
    with services_at(folder, "2021-10-05 18:00") as services:
        held = open_store(url, owner="process 7 on albatross")
        first = Services(services.settings, services.clock, held, services.models, services.feed, services.progress)
        loop = loop_under(SetClock(services.clock.now()), first)
        cut_off(server, url)
        second = open_store(url, owner="process 8 on blackbird")
        (folder / "state" / "HALT").touch()  # something to write
        with pytest.raises(AlreadyRunning, match="process 8 on blackbird"):
            loop.turn()
        second.dispose()
        held.dispose()


KILLED = """
import os, signal, sys
from sqlalchemy import Engine, event
from daemon.cli import main
left = int(sys.argv.pop(1))
def count(*_):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
event.listen(Engine, "after_cursor_execute", count)
event.listen(Engine, "commit", count)
main()
"""
STEP = 17
"""Statements further at each try, so that all parts of a task are met."""


def test_killed_again_and_again_at_any_statement_it_keeps_what_it_would_have_kept(
    lived: Path, copy_on_server: tuple[Path, str], tmp_path: Path
) -> None:
    (on_server, url), in_file = copy_on_server, Path(shutil.copytree(lived, tmp_path / "in_file"))
    config, kills = on_server / "config.toml", 0
    for moment in ("2021-10-06T03:20:00Z", "2021-10-06T11:30:00Z", "2021-10-07T03:20:00Z"):
        assert command(in_file, "run-once", "--now", moment).returncode == 0
        code, left = -signal.SIGKILL, 0
        while code == -signal.SIGKILL:
            left += STEP
            words = [f"{left}", "--config", f"{config}", "run-once", "--now", moment]
            said = subprocess.run([sys.executable, "-c", KILLED, *words], cwd=ROOT, capture_output=True, check=False)
            code = said.returncode
            kills += code == -signal.SIGKILL
        assert code == 0, said.stderr
    assert kills >= 6
    expected, found = tables_at(f"sqlite:///{in_file / 'state' / 'signals.db'}"), tables_at(url)
    assert [name for name in expected if found[name] != expected[name]] == []
