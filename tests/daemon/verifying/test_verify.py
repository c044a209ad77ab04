"""`verify` finds what was lived through equal to the bit, whatever happened meanwhile, and names what is not."""

import json
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from daemon.cli import app
from daemon.errors import DaemonError
from daemon.instance import only_instance
from daemon.services import Services
from daemon.sessions.halt import halt, resume
from daemon.sessions.reconcile import reconcile
from daemon.verifying.verify import Verified, verify
from storage.engine import transaction
from storage.model_store import ModelStore

pytestmark = pytest.mark.timeout(300)  # the first test pays for the fortnight that all look at
ServicesAt = Callable[..., AbstractContextManager[Services]]
AFTERWARDS = "2021-12-31 20:00"
SINCE = date(2021, 9, 28)
OTHER_LIMITS = 'position_pct = 5.5\nproduct = "futures"\nsizing = "volatility"\n'
OTHER_GATE = 'gate = "expected_value"\nmin_expected_value_bp = -1000\n'
PRICES = ["Open", "High", "Low", "Close", "Adj Close"]


@pytest.fixture(scope="module")
def eventful(lived: Path, tmp_path_factory: pytest.TempPathFactory, services_at: ServicesAt) -> Path:
    """The lived installation, and a fortnight more in which much happens that later runs must not be told of."""
    folder = Path(shutil.copytree(lived, tmp_path_factory.mktemp("eventful") / "copy"))
    live = _Living(folder, services_at)
    live.through("06 08:50", "06 17:00", "07 08:50")
    live.change("AAA.NS", before="2021-10-05", factor=0.98731)  # a dividend restates the history
    live.through("07 17:00")
    live.change("BBB.NS", on="2021-10-06", factor=1.004)  # the feed corrects a bar
    live.through("08 08:50", "08 17:00")
    with services_at(folder, "2021-10-08 18:00") as services:
        halt(services.engine, services.settings, now=services.clock.now(), note="holiday")
    live.through("11 08:50", "11 17:00")
    with services_at(folder, "2021-10-11 18:00") as services:
        resume(services.engine, services.settings, now=services.clock.now())
    taken = live.take_out("AAA.NS", "2021-10-12")  # its bar comes a day late, so the next session is decided before
    live.through("12 08:50", "12 17:00", "13 08:50")
    live.put_back("AAA.NS", taken)
    live.through("13 17:00")
    config = folder / "config.toml"
    changed = config.read_text().replace("[risk]\n", f"[risk]\n{OTHER_LIMITS}")
    config.write_text(changed.replace("[signals]\n", f"[signals]\n{OTHER_GATE}"))
    live.through("18 10:00", "18 17:00")  # a session was missed, the other is late
    config.write_text(config.read_text().replace(OTHER_GATE, ""))
    live.through("19 08:50", "19 17:00")
    return folder


class _Living:
    """Goes on with an installation, and changes what its feed says."""

    def __init__(self, folder: Path, services_at: ServicesAt) -> None:
        self.folder, self.services_at = folder, services_at

    def through(self, *moments: str) -> None:
        for moment in moments:
            with self.services_at(self.folder, f"2021-10-{moment}") as services:
                reconcile(services)

    def change(self, symbol: str, *, factor: float, before: str = "", on: str = "") -> None:
        lines = self._read(symbol)
        chosen = lines["Date"] < before if before else lines["Date"] == on
        lines.loc[chosen, PRICES] = (lines.loc[chosen, PRICES] * factor).round(4)
        self._write(symbol, lines)

    def take_out(self, symbol: str, session: str) -> pd.DataFrame:
        lines = self._read(symbol)
        self._write(symbol, lines[lines["Date"] < session])
        return lines

    def put_back(self, symbol: str, lines: pd.DataFrame) -> None:
        self._write(symbol, lines)

    def _read(self, symbol: str) -> pd.DataFrame:
        return pd.read_csv(self.folder / "bars" / f"{symbol}.csv")

    def _write(self, symbol: str, lines: pd.DataFrame) -> None:
        lines.to_csv(self.folder / "bars" / f"{symbol}.csv", index=False)


@pytest.fixture
def past(eventful: Path, tmp_path: Path) -> Path:
    """A copy of the eventful installation, to be changed."""
    return Path(shutil.copytree(eventful, tmp_path / "past"))


@pytest.fixture
def verified(past: Path, services_at: ServicesAt) -> Callable[..., Verified]:
    """verified("UPDATE ...", since=date): what is found after this change of the database."""

    def of(*statements: str, since: date = SINCE, until: date | None = None) -> Verified:
        with services_at(past, AFTERWARDS) as services:
            with transaction(services.engine) as conn:
                for statement in statements:
                    assert conn.execute(text(statement)).rowcount > 0
            models = ModelStore(services.settings.storage.models_dir, read_only=True)
            return verify(replace(services, models=models), since=since, until=until)

    return of


def test_whatever_happened_meanwhile_every_row_is_made_again_to_the_bit(verified: Callable[..., Verified]) -> None:
    found = verified()
    assert (found.differences, found.not_replayed) == ((), ())
    assert (found.first, found.last) == (SINCE, date(2021, 10, 19))
    assert found.replayed == 2 * 15
    assert found.rows > 500


def test_the_fortnight_was_eventful(eventful: Path, services_at: ServicesAt) -> None:
    with services_at(eventful, AFTERWARDS) as services, services.engine.connect() as conn:
        count = {
            "restated": "SELECT count(*) > 500 FROM bars WHERE superseded_at IS NOT NULL",
            "traded": "SELECT count(*) > 0 FROM trades WHERE entry_session > '2021-10-05'",
            "halted": "SELECT count(*) FROM account_events WHERE commanded_at IS NOT NULL",
            "late": "SELECT count(*) FROM signals WHERE late = 1",
            "configured": "SELECT count(DISTINCT configuration) FROM runs",
            "weighed": "SELECT count(*) FROM signals WHERE reasons LIKE '%EVIDENCE%'",
            "held": "SELECT count(*) FROM positions",
            "late bar": """
                SELECT d.started_at < s.started_at FROM runs d, runs s
                WHERE d.kind = 'decide' AND d.session = '2021-10-13' AND s.kind = 'settle' AND s.session = '2021-10-12'
            """,
        }
        told = {name: conn.execute(text(query)).scalar_one() for name, query in count.items()}
    assert told.pop("weighed") == 2
    assert told == {"restated": 1, "traded": 1, "halted": 2, "late": 2, "configured": 3, "held": 1, "late bar": 1}


@pytest.mark.parametrize("since", [date(2021, 9, 30), date(2021, 10, 9), date(2021, 10, 13), date(2021, 10, 19)])
def test_a_replay_from_the_middle_begins_with_the_account_as_its_events_make_it(
    verified: Callable[..., Verified], since: date
) -> None:
    found = verified(since=since)
    assert (found.differences, found.not_replayed) == ((), ())
    assert found.first >= since


def test_a_range_ends_where_it_is_told_to(verified: Callable[..., Verified]) -> None:
    found = verified(since=date(2021, 10, 6), until=date(2021, 10, 8))
    assert (found.first, found.last, found.replayed) == (date(2021, 10, 6), date(2021, 10, 8), 6)
    assert (found.differences, found.not_replayed) == ((), ())


AAA = "symbol = 'AAA.NS' AND label = 'gap'"
DAMAGES = {
    f"UPDATE forecasts SET probability = 0.5 WHERE session = '2021-10-07' AND {AAA}": (
        *("2021-10-07", "AAA.NS", "forecasts", "probability", "gap"),
    ),
    f"UPDATE member_forecasts SET probability = 0.5 WHERE session = '2021-10-07' AND {AAA} AND member = 'logit'": (
        *("2021-10-07", "AAA.NS", "member_forecasts", "probability", "gap, logit"),
    ),
    "UPDATE features SET digest = 'abc' WHERE session = '2021-10-08'": ("2021-10-08", "", "features", "digest", ""),
    "UPDATE signals SET quantity = quantity + 1 WHERE session = '2021-10-07'": (
        *("2021-10-07", "AAA.NS", "signals", "quantity", ""),
    ),
    "UPDATE trades SET exit_price = exit_price + 0.01 WHERE exit_session = '2021-10-08'": (
        *("2021-10-08", "AAA.NS", "trades", "exit_price", ""),
    ),
    "UPDATE account SET cash = cash + 1 WHERE session = '2021-10-05'": ("2021-10-05", "", "account", "cash", ""),
    "UPDATE account_events SET price = price + 0.01 WHERE kind = 'ENTERED' AND session = '2021-10-07'": (
        *("2021-10-07", "AAA.NS", "account_events", "price", "its number"),
    ),
}


@pytest.mark.parametrize(("damage", "named"), DAMAGES.items())
def test_a_changed_cell_is_named_and_nothing_else(
    verified: Callable[..., Verified], damage: str, named: tuple[str, ...]
) -> None:
    found = verified(damage)
    (one,) = found.differences
    row = "its number" if one.table == "account_events" else one.row
    assert (one.session, one.symbol, one.table, one.column, row) == named
    assert one.stored != one.replayed
    assert not found.passes(allow_unreplayed=True)


def test_what_is_held_now_is_compared_too(verified: Callable[..., Verified]) -> None:
    held = "UPDATE positions SET stop_price = stop_price + 1"
    found = verified(held)
    assert [(one.table, one.column) for one in found.differences] == [("positions", "stop_price")]


@pytest.mark.parametrize(
    "lost",
    [
        "forecasts WHERE session = '2021-10-07'",
        "signals WHERE session = '2021-10-07'",
        "account WHERE session = '2021-10-07'",
    ],
)
def test_a_row_that_is_gone_is_named(verified: Callable[..., Verified], lost: str) -> None:
    found = verified(f"DELETE FROM {lost}")
    assert {(one.session, one.table, one.stored) for one in found.differences} == {
        ("2021-10-07", lost.split()[0], "no such row")
    }


def test_a_row_too_many_is_named(verified: Callable[..., Verified]) -> None:
    found = verified(
        "INSERT INTO features SELECT origin, '2021-10-09', digest, column_count FROM features "
        "WHERE session = '2021-10-08'"
    )
    assert [(one.session, one.table, one.replayed) for one in found.differences] == [
        ("2021-10-09", "features", "no such row")
    ]


def test_a_run_that_does_not_say_what_it_was_done_by_is_listed_and_the_account_goes_on_as_stored(
    verified: Callable[..., Verified],
) -> None:
    found = verified("UPDATE runs SET configuration = NULL WHERE session = '2021-10-07'")
    assert found.differences == ()
    assert [(one.session, one.kind) for one in found.not_replayed] == [
        (date(2021, 10, 7), "decide"),
        (date(2021, 10, 7), "settle"),
    ]
    assert "did not keep" in found.not_replayed[0].why
    assert (found.passes(allow_unreplayed=False), found.passes(allow_unreplayed=True)) == (False, True)


def test_a_configuration_that_was_changed_afterwards_is_damaged(verified: Callable[..., Verified]) -> None:
    found = verified("UPDATE configurations SET settings = replace(settings, '5.5', '6.5')")
    assert all("damaged" in one.why and one.broken for one in found.not_replayed)
    assert not found.passes(allow_unreplayed=True)
    assert min(one.session for one in found.not_replayed) > date(2021, 10, 13)


def test_without_its_model_a_session_is_not_decided_again_but_settled(
    past: Path, verified: Callable[..., Verified]
) -> None:
    (manifest,) = (past / "state" / "models" / "versions").glob("2021-10-*.json")
    manifest.unlink()
    found = verified()
    assert {(one.kind, one.session.month) for one in found.not_replayed} == {("decide", 10)}
    assert f"model {manifest.stem} is not in" in found.not_replayed[0].why
    assert found.differences == ()
    assert found.passes(allow_unreplayed=True)


def test_an_event_of_the_account_that_is_gone_is_a_broken_record(verified: Callable[..., Verified]) -> None:
    found = verified("DELETE FROM account_events WHERE number = 2", since=date(2021, 10, 11))
    assert "event 2 of the account is gone" in found.not_replayed[0].why
    assert not found.passes(allow_unreplayed=True)


def test_forecasts_that_name_no_model_are_a_broken_record(verified: Callable[..., Verified]) -> None:
    gone = [f"DELETE FROM {name} WHERE session = '2021-10-08'" for name in ("forecasts", "member_forecasts")]
    found = verified(*gone, since=date(2021, 10, 8), until=date(2021, 10, 8))
    assert "nothing that is stored says which model spoke" in found.not_replayed[0].why
    assert not found.passes(allow_unreplayed=True)


def test_a_damaged_part_of_a_model_is_named_and_left_where_it_is(past: Path, verified: Callable[..., Verified]) -> None:
    parts = past / "state" / "models" / "parts"
    for trees in parts.glob("*/gap.txt"):
        trees.write_bytes(trees.read_bytes() + b"!")
    before = sorted(path.name for path in parts.iterdir())
    found = verified()
    assert {one.kind for one in found.not_replayed} == {"decide"}
    assert "does not match its checksum" in found.not_replayed[0].why
    assert sorted(path.name for path in parts.iterdir()) == before


def test_runs_of_other_code_pass_where_they_come_out_equal(verified: Callable[..., Verified]) -> None:
    found = verified("UPDATE runs SET code_version = 'reliance-daemon 0.0.9'")
    assert (found.differences, found.not_replayed) == ((), ())


def test_what_other_code_did_otherwise_is_no_difference_but_cannot_be_replayed(
    verified: Callable[..., Verified],
) -> None:
    found = verified(
        "UPDATE runs SET code_version = 'reliance-daemon 0.0.9' WHERE session = '2021-10-07'",
        "UPDATE signals SET quantity = quantity + 1 WHERE session = '2021-10-07'",
    )
    assert found.differences == ()
    (one, *others) = found.not_replayed
    assert (one.session, one.kind) == (date(2021, 10, 7), "decide")
    assert one.why == ("done by reliance-daemon 0.0.9; 1 cells come out otherwise now, first AAA.NS signals quantity")
    assert {other.session for other in others} <= {date(2021, 10, 7)}


def test_a_session_that_is_gone_from_the_ledger_is_listed(verified: Callable[..., Verified]) -> None:
    gone = [f"DELETE FROM {name} WHERE session = '2021-09-30'" for name in ("runs", "signals", "features", "forecasts")]
    found = verified(*gone, "DELETE FROM member_forecasts WHERE session = '2021-09-30'")
    assert (date(2021, 9, 30), "decide", "it is not done, and later ones are; the ledger has lost it") in [
        (one.session, one.kind, one.why) for one in found.not_replayed
    ]


def test_a_range_without_a_session_is_said_so(verified: Callable[..., Verified]) -> None:
    with pytest.raises(DaemonError, match="no live session from 2022-01-01 to now is stored"):
        verified(since=date(2022, 1, 1))


def files_of(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Content and time of every file but those that SQLite keeps beside a database that is open."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix not in (".db-shm", ".db-wal")
    }


def test_the_command_needs_no_lock_changes_no_file_and_ends_with_0_only_when_all_is_equal(past: Path) -> None:
    before = files_of(past / "state")
    with only_instance(past / "state"):
        told = _command(past, "--since", "2021-09-28")
    assert (told.exit_code, told.stdout.splitlines()[-1].split(": ")[-1]) == (0, "all equal")
    after = files_of(past / "state")
    after.pop("lock")
    before.pop("lock", None)
    assert after == before


def test_the_command_names_the_cell_and_ends_with_1(past: Path, services_at: ServicesAt) -> None:
    with services_at(past, AFTERWARDS) as services, transaction(services.engine) as conn:
        conn.execute(text(f"UPDATE forecasts SET probability = 0.5 WHERE session = '2021-10-07' AND {AAA}"))
    told = _command(past, "--since", "2021-10-07", "--until", "2021-10-07")
    assert told.exit_code == 1
    assert "2021-10-07" in told.stdout
    for word in ("AAA.NS", "forecasts", "probability (gap)", "0.5", "1 differences"):
        assert word in told.stdout
    told = _command(past, "--since", "2021-10-07", "--json")
    assert told.exit_code == 1
    answer = json.loads(told.stdout)
    assert answer["passes"] is False
    assert answer["differences"][0]["stored"] == 0.5


def test_the_command_passes_over_what_cannot_be_replayed_only_when_told_to(past: Path, services_at: ServicesAt) -> None:
    with services_at(past, AFTERWARDS) as services, transaction(services.engine) as conn:
        conn.execute(text("UPDATE runs SET configuration = NULL WHERE session < '2021-10-01'"))
    assert _command(past, "--since", "2021-09-28").exit_code == 1
    told = _command(past, "--since", "2021-09-28", "--allow-unreplayed")
    assert told.exit_code == 0
    assert "6 could not be replayed" in told.stdout


def _command(folder: Path, *words: str):  # type: ignore[no-untyped-def]  # click's Result has moved between versions
    return CliRunner().invoke(app, ["--config", str(folder / "config.toml"), "verify", *words])
