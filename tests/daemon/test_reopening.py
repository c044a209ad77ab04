"""Missing bars are waited for, then the session is closed without them, and settled again once they come."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import text

from daemon.reconcile import reconcile
from daemon.services import Services
from daemon.verify import verify
from ensemble.trading.account import Settlement, open_account, settle
from ensemble.trading.actions import held_actions
from ensemble.trading.events import AccountEvent, standing
from ensemble.trading.session_bars import SessionBars
from storage.account_store import read_account, read_events, read_marks, read_positions, read_trades
from storage.engine import reading
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

    def through(self, *sessions: str, moments: Sequence[str] = ("08:50", "17:00")) -> None:
        for session in sessions:
            for moment in moments:
                with self.services_at(self.folder, f"{session} {moment}") as services:
                    reconcile(services)

    def without(self, *sessions: str) -> "Callable[[], None]":
        """Takes the bars of these sessions out of the feed; what is returned puts them back."""
        whole = self._read()
        self.rewrite(lambda bars: bars[~bars.index.isin(pd.to_datetime(list(sessions)))])
        lost = whole[whole.index.isin(pd.to_datetime(list(sessions)))]
        return lambda: self.rewrite(lambda bars: pd.concat([bars, lost]).sort_index())

    def rewrite(self, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
        change(self._read()).to_csv(self._path, date_format="%Y-%m-%d", index_label="Date")

    @property
    def _path(self) -> Path:
        return self.folder / "bars" / "AAA.NS.csv"

    def _read(self) -> pd.DataFrame:
        return pd.read_csv(self._path, index_col="Date", parse_dates=True)

    def settle_run(self, session: str) -> tuple[RunStatus, str]:
        with self.services_at(self.folder, "2021-12-31 20:00") as services, reading(services.engine) as conn:
            run = read_run(conn, "live", "settle", date.fromisoformat(session))
        assert run is not None
        return run.status, run.detail

    def check(self) -> None:
        """The account is what its stored signals and the bars of the feed make it, and a replay finds it equal."""
        with self.services_at(self.folder, "2021-12-31 20:00") as services:
            in_time = list(settled_in_time(services, self._read()))
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


def settled_in_time(services: Services, lines: pd.DataFrame) -> Iterator[Settlement]:
    """Session after session, from the first, by what was decided and all bars: no ledger, no store of events."""
    columns = {"Open": "open", "High": "high", "Low": "low", "Close": "close", "Adj Close": "adj_close"}
    bars = SessionBars({"AAA.NS": lines.rename(columns=columns)})
    account = open_account(services.settings.risk)
    with reading(services.engine) as conn:
        sessions = [mark.session for mark in read_marks(conn, "live")]
        for session in sessions:
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


@pytest.mark.parametrize("missing", [AHEAD[:1], AHEAD[1:2], AHEAD[2:4], (AHEAD[0], AHEAD[3])])
@pytest.mark.parametrize("comes", ["08:50", "17:00"])
def test_a_bar_that_comes_days_late_leaves_the_account_that_it_would_have_left_in_time(
    missing: tuple[str, ...], comes: str, living: Living, lines: list[str]
) -> None:
    bring = living.without(*missing)
    living.through(*AHEAD[:5])
    assert living.settle_run(missing[0])[0] is RunStatus.NO_DATA
    decided = everything_decided(living)
    if comes == "17:00":
        living.through(AHEAD[5], moments=["08:50"])
        decided = everything_decided(living)
    bring()
    living.through(AHEAD[5], moments=["08:50", "17:00"] if comes == "08:50" else ["17:00"])
    told = [line for line in lines if line.startswith("reopened")]
    assert len(told) == 1
    print("TOLD", told[0])
    assert told[0].startswith(f"reopened {missing[0]}: bars of AAA.NS came; ")
    assert living.settle_run(missing[0])[0] is RunStatus.DONE
    again = everything_decided(living)
    assert {name: [row for row in again[name] if row in kept] for name, kept in decided.items()} == decided
    living.through(AHEAD[6])
    assert [line for line in lines if line.startswith("reopened")] == told
    living.check()


def everything_decided(living: Living) -> dict[str, list[Any]]:
    with living.services_at(living.folder, "2021-12-31 20:00") as services, services.engine.connect() as conn:
        return {name: list(conn.execute(text(f"SELECT * FROM {name}"))) for name in ("forecasts", "signals")}
