"""Missing bars are waited for, then the session is closed without them, and settled again once they come."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Engine, event, text

from daemon.bars.ingest import REREAD_DAYS
from daemon.health.judge import Ill, judge, read_ledger
from daemon.notify.courier import Courier
from daemon.services import Services
from daemon.sessions.due import REOPENS_WITHIN
from daemon.sessions.halt import halt, resume
from daemon.sessions.reconcile import reconcile
from daemon.verifying.verify import verify
from ensemble.trading.account import Settlement, open_account, settle
from ensemble.trading.actions import held_actions
from ensemble.trading.events import AccountEvent, standing
from ensemble.trading.session_bars import SessionBars
from storage.account_store import read_account, read_events, read_marks, read_positions, read_trades
from storage.engine import reading, transaction
from storage.run_store import RunStatus, read_run
from storage.signal_store import read_signals

ServicesAt = Callable[..., AbstractContextManager[Services]]
AHEAD = ("2021-10-06", "2021-10-07", "2021-10-08", "2021-10-11", "2021-10-12", "2021-10-13", "2021-10-14")
PRICES = ["Open", "High", "Low", "Close", "Adj Close"]
NOTIFY = '\n[notify]\nurls = ["json://127.0.0.1:9"]\nevents = ["halt", "recovery"]\n'


@dataclass
class Living:
    """Goes on with an installation, and changes what its feed says."""

    folder: Path
    services_at: ServicesAt

    def through(
        self, *sessions: str, moments: Sequence[str] = ("08:50", "17:00"), courier: Courier | None = None
    ) -> None:
        for session in sessions:
            for moment in moments:
                with self.services_at(self.folder, f"{session} {moment}") as services:
                    reconcile(replace(services, courier=courier or services.courier))

    def without(self, *sessions: str) -> "Callable[[], None]":
        """Takes the bars of these sessions out of the feed; what is returned puts them back."""
        whole = self.bars()
        self.rewrite(lambda bars: bars[~bars.index.isin(pd.to_datetime(list(sessions)))])
        lost = whole[whole.index.isin(pd.to_datetime(list(sessions)))]
        return lambda: self.rewrite(lambda bars: pd.concat([bars, lost]).sort_index())

    def rewrite(self, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
        change(self.bars()).to_csv(self._path, date_format="%Y-%m-%d", index_label="Date")

    @property
    def _path(self) -> Path:
        return self.folder / "bars" / "AAA.NS.csv"

    def bars(self) -> pd.DataFrame:
        """All that the feed has of AAA.NS."""
        return pd.read_csv(self._path, index_col="Date", parse_dates=True)

    def settle_run(self, session: str) -> tuple[RunStatus, str]:
        with self.services_at(self.folder, "2021-12-31 20:00") as services, reading(services.engine) as conn:
            run = read_run(conn, "live", "settle", date.fromisoformat(session))
        assert run is not None
        return run.status, run.detail

    def check(self) -> None:
        """The account is what its stored signals and the bars of the feed make it, and a replay finds it equal."""
        with self.services_at(self.folder, "2021-12-31 20:00") as services:
            whole = self.bars()
            in_time = list(settled_in_time(services, lambda _: whole))
            with reading(services.engine) as conn:
                told = list(read_events(conn, "live"))
                assert read_marks(conn, "live") == [one.mark for one in in_time]
                assert read_trades(conn, "live") == [trade for one in in_time for trade in one.trades]
                assert tuple(read_positions(conn, "live")) == in_time[-1].account.positions
                assert read_account(conn, "live") == in_time[-1].account
            stand = [unnumbered(one) for one in standing(told, told) if one.kind not in ("REOPENED", "OPENED")]
            assert stand == [unnumbered(one) for settled in in_time for one in settled.events if one.kind != "OPENED"]
            found = verify(services, since=date(2021, 9, 28))
            assert (found.differences, found.not_replayed) == ((), ())


def unnumbered(one: AccountEvent) -> AccountEvent:
    return replace(one, number=0)


def settled_in_time(services: Services, told: Callable[[date], pd.DataFrame]) -> Iterator[Settlement]:
    """Session after session, from the first, by what was decided and all bars: no ledger, no store of events.

    `told`: what the feed had to say of AAA.NS in each session, had it had all bars.
    """
    columns = {"Open": "open", "High": "high", "Low": "low", "Close": "close", "Adj Close": "adj_close"}
    account = open_account(services.settings.risk)
    with reading(services.engine) as conn:
        sessions = [mark.session for mark in read_marks(conn, "live")]
        for session in sessions:
            bars = SessionBars({"AAA.NS": told(session).rename(columns=columns)})
            settlement = settle(
                account,
                session=session,
                bars=bars.on(session),
                signals=read_signals(conn, "live", session),
                rules=services.settings.rules,
                actions=held_actions(account, bars, session),
            )
            account = settlement.account
            yield settlement


@pytest.fixture
def living(copy: Path, services_at: ServicesAt) -> Living:
    """Less sure forecasts sell nothing, so that a position is held for more than a night."""
    config = copy / "config.toml"
    config.write_text(config.read_text().replace("min_confidence = 0.5\n", "min_confidence = 0.515\n"))
    return Living(copy, services_at)


@pytest.mark.parametrize(
    ("missing", "comes"),
    [
        (AHEAD[:1], "17:00"),
        *(
            pytest.param(*late, marks=pytest.mark.slow)
            for late in ((AHEAD[1:2], "08:50"), (AHEAD[2:4], "17:00"), ((AHEAD[0], AHEAD[3]), "08:50"))
        ),
    ],
)
def test_a_bar_that_comes_days_late_leaves_the_account_that_it_would_have_left_in_time(
    missing: tuple[str, ...], comes: str, living: Living, lines: list[str]
) -> None:
    bring = living.without(*missing)
    living.through(*AHEAD[:5])
    status, detail = living.settle_run(missing[0])
    assert (status, detail.split("; ")[-1].split(" by ")[0]) == (RunStatus.NO_DATA, "no bar of AAA.NS")
    if comes == "17:00":
        living.through(AHEAD[5], moments=["08:50"])
    decided = everything_decided(living)
    bring()
    living.through(AHEAD[5], moments=["08:50", "17:00"] if comes == "08:50" else ["17:00"])
    (told,) = reopenings(lines)
    assert told.startswith(f"reopened {missing[0]}: bars of AAA.NS came; ")
    after, before = told.split("equity ")[1].split(" instead of ")
    assert after != before
    assert living.settle_run(missing[0])[0] is RunStatus.DONE
    again = everything_decided(living)
    assert {name: again[name][: len(kept)] for name, kept in decided.items()} == decided
    living.through(AHEAD[6])
    assert reopenings(lines) == [told]
    living.check()


def reopenings(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith("reopened")]


def everything_decided(living: Living) -> dict[str, list[Any]]:
    """In order of their sessions."""
    with living.services_at(living.folder, "2021-12-31 20:00") as services, services.engine.connect() as conn:
        tables = ("forecasts", "member_forecasts", "signals", "features")
        return {name: list(conn.execute(text(f"SELECT * FROM {name} ORDER BY session"))) for name in tables}


def test_the_first_session_of_all_is_reopened_too(living: Living) -> None:
    shutil.rmtree(living.folder / "state" / "backups", ignore_errors=True)
    for path in (living.folder / "state").glob("signals.db*"):
        path.unlink()
    bring = living.without(AHEAD[0])
    living.through(*AHEAD[:3])
    assert living.settle_run(AHEAD[0])[0] is RunStatus.NO_DATA
    bring()
    living.through(AHEAD[3])
    living.check()


@pytest.mark.slow
def test_bars_that_come_one_after_the_other_reopen_what_was_reopened_before(living: Living, lines: list[str]) -> None:
    bring_first, bring_second = living.without(AHEAD[0]), living.without(AHEAD[2])
    living.through(*AHEAD[:4])
    bring_second()
    living.through(AHEAD[4])
    bring_first()
    living.through(AHEAD[5])
    assert [line.split(":")[0] for line in reopenings(lines)] == [f"reopened {AHEAD[2]}", f"reopened {AHEAD[0]}"]
    living.check()


@pytest.mark.parametrize(
    ("factor", "columns"),
    [(0.5, PRICES), pytest.param(0.99, PRICES[-1:], marks=pytest.mark.slow)],
    ids=["split", "dividend"],
)
def test_a_bar_that_comes_after_the_feed_has_scaled_its_history_is_settled_in_the_scale_of_then(
    factor: float, columns: list[str], living: Living
) -> None:
    """An order of then has a number of shares, and a limit, of then."""
    ex_date, whole = AHEAD[3], living.bars()
    scaled = whole.copy()
    scaled.loc[scaled.index < ex_date, columns] *= factor
    living.without(AHEAD[1])
    living.through(*AHEAD[:3])
    living.rewrite(lambda _: scaled[scaled.index != AHEAD[1]])
    living.through(*AHEAD[3:5])
    assert living.settle_run(AHEAD[1])[0] is RunStatus.NO_DATA
    living.rewrite(lambda _: scaled)
    living.through(*AHEAD[5:])
    assert living.settle_run(AHEAD[1])[0] is RunStatus.DONE
    with living.services_at(living.folder, "2021-12-31 20:00") as services:
        told = settled_in_time(services, lambda session: scaled if f"{session}" >= ex_date else whole)
        expected = [one.mark.equity for one in told]
        with reading(services.engine) as conn:
            assert [mark.equity for mark in read_marks(conn, "live")] == pytest.approx(expected, rel=1e-6)
        found = verify(services, since=date(2021, 9, 28))
    assert (found.differences, found.not_replayed) == ((), ())


@pytest.mark.slow
def test_what_was_commanded_in_between_is_commanded_again_in_its_place(living: Living) -> None:
    bring = living.without(AHEAD[0])
    living.through(*AHEAD[:2])
    with living.services_at(living.folder, f"{AHEAD[1]} 18:00") as services:
        halt(services.engine, services.settings, now=services.clock.now(), note="holiday")
    living.through(AHEAD[2])
    with living.services_at(living.folder, f"{AHEAD[2]} 18:00") as services:
        resume(services.engine, services.settings, now=services.clock.now())
    living.through(*AHEAD[3:5])
    bring()
    living.through(AHEAD[5])
    with living.services_at(living.folder, "2021-12-31 20:00") as services:
        with reading(services.engine) as conn:
            told = list(read_events(conn, "live"))
        stand = list(standing(told, told))
        commands = [(one.kind, one.session, one.note) for one in stand if one.commanded_at]
        holiday = date.fromisoformat(AHEAD[2])
        assert commands == [("HALTED", holiday, "holiday"), ("RESUMED", date.fromisoformat(AHEAD[3]), "holiday")]
        order = [one.kind for one in stand if one.commanded_at or one.kind == "SETTLED"]
        assert order[-6:] == ["HALTED", "SETTLED", "RESUMED", "SETTLED", "SETTLED", "SETTLED"]
        assert not [one for one in stand if one.kind == "ENTERED" and one.session == holiday]
        found = verify(services, since=date(2021, 9, 28))
        assert (found.differences, found.not_replayed) == ((), ())


class StaysAtHome(Courier):
    """Whatever is to be told stays in the outbox."""

    def go(self, services: Services, *, gives_up: bool = True) -> None:
        pass


class Killed(BaseException):
    """SIGKILL, as far as Python can raise it."""


def killed_at(engine: Engine, place: int) -> None:
    """Raises Killed at the begin or commit number `place`, from 0."""
    left = [place]

    def count(_: object) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Killed

    for point in ("begin", "commit"):
        event.listen(engine, point, count)


@pytest.mark.slow
def test_killed_at_any_point_it_reopens_once_and_tells_once(living: Living, tmp_path: Path) -> None:
    config = living.folder / "config.toml"
    config.write_text(config.read_text() + NOTIFY)
    config.chmod(0o600)  # a URL may hold a password
    bring = living.without(AHEAD[0])
    living.through(*AHEAD[:2], courier=StaysAtHome())
    bring()
    kept = list[dict[str, list[Any]]]()
    for place in range(100):
        folder = Path(shutil.copytree(living.folder, tmp_path / f"killed-{place}"))
        ended = False
        with living.services_at(folder, f"{AHEAD[2]} 08:50") as services:
            killed_at(services.engine, place)
            try:
                reconcile(replace(services, courier=StaysAtHome()))
                ended = True
            except Killed:
                pass
        with living.services_at(folder, f"{AHEAD[2]} 08:50") as services:
            reconcile(replace(services, courier=StaysAtHome()))
            kept.append(everything_that_stands(services))
        shutil.rmtree(folder)
        if ended:
            break
    assert len(kept) > 10
    assert all(one == kept[-1] for one in kept)
    assert [kind for kind, _ in kept[-1]["outbox"]] == ["recovery"]


def everything_that_stands(services: Services) -> dict[str, list[Any]]:
    with services.engine.connect() as conn:
        tables = ("account", "trades", "positions", "outcomes", "signals")
        kept: dict[str, list[Any]] = {
            name: list(conn.execute(text(f"SELECT * FROM {name} ORDER BY 1, 2, 3, 4"))) for name in tables
        }
        kept["outcomes"] = [tuple(row)[:4] for row in kept["outcomes"]]
        kept["runs"] = list(conn.execute(text("SELECT kind, session, status, detail FROM runs ORDER BY 1, 2")))
        kept["outbox"] = list(conn.execute(text("SELECT kind, payload FROM outbox ORDER BY 1, 2")))
        told = list(read_events(conn, "live"))
    return kept | {"events": [unnumbered(one) for one in standing(told, told)]}


def test_a_bar_that_never_comes_leaves_its_session_closed_told_and_no_failure(living: Living) -> None:
    living.without(AHEAD[1])
    living.through(*AHEAD[:4])
    assert [living.settle_run(day)[0] for day in AHEAD[:4]] == ["done", "no_data", "done", "done"]
    with living.services_at(living.folder, f"{AHEAD[3]} 18:00") as services:
        with reading(services.engine) as conn:
            ledger = read_ledger(conn, read_account(conn, "live"), "gap")
            health = conn.execute(text("SELECT last_done_session FROM v_run_health WHERE kind = 'settle'")).scalar_one()
        assert health == AHEAD[3]
        now = services.clock.now()
        found = judge(ledger, services.settings, now)
        told = [finding for finding in found.findings if finding.ill is Ill.NO_DATA]
        assert (found.healthy, len(told)) == (True, 1)
        assert told[0].text.startswith(f"settle {AHEAD[1]}: equity ")
        assert told[0].text.endswith(f"no bar of AAA.NS by {AHEAD[2]} 11:30Z")


def test_a_symbol_that_has_stopped_closes_one_session_without_data_and_holds_up_no_other(living: Living) -> None:
    living.without(*AHEAD)
    living.through(*AHEAD[:4])
    assert [living.settle_run(day)[0] for day in AHEAD[:4]] == ["no_data", "done", "done", "done"]


@pytest.mark.slow
def test_a_bar_older_than_the_feed_is_read_again_reopens_nothing(living: Living, lines: list[str]) -> None:
    old, young = "2021-10-05", "2021-11-01"
    living.through("2021-12-10", moments=["08:50"])
    assert pd.Timestamp(old) < pd.Timestamp("2021-12-09") - REOPENS_WITHIN < pd.Timestamp(young)
    with living.services_at(living.folder, "2021-12-31 20:00") as services, transaction(services.engine) as conn:
        known = f"UPDATE runs SET bars_known_at = '2021-09-01T00:00:00Z' WHERE session IN ('{old}', '{young}')"
        assert conn.execute(text(f"{known} AND kind = 'settle'")).rowcount == 2
    living.through("2021-12-10", moments=["17:00"])
    assert [line.split(":")[0] for line in reopenings(lines)] == [f"reopened {young}"]


def test_whatever_may_be_reopened_is_read_again() -> None:
    assert REOPENS_WITHIN.days <= REREAD_DAYS
