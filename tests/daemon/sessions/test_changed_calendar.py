"""A day becomes a session, or is none any more, when the ledger has gone on: the account stays whole."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from daemon.services import Services
from daemon.sessions.reconcile import reconcile
from daemon.verifying.verify import verify
from ensemble.trading.signals import Reason
from storage.account_store import read_account
from storage.engine import reading
from storage.run_store import done_runs
from storage.signal_store import read_signals
from tests.daemon.faults.cheap import CONFIG, write_bars, write_cheap

ServicesAt = Callable[..., AbstractContextManager[Services]]
BOTH = CONFIG.replace('symbols = ["AAA.NS"]\npeers = ["BBB.NS"]', 'symbols = ["AAA.NS", "BBB.NS"]')
LONG = BOTH.replace("[risk]\nmax_holding_sessions = 3", "[risk]\nmax_holding_sessions = 20\nstop_loss_pct = 20.0")
FIRST, SATURDAY = date(2021, 10, 4), date(2021, 10, 9)
"""BBB.NS is bought in the first session."""


@dataclass
class Living:
    folder: Path
    services_at: ServicesAt

    def at(self, moment: str) -> None:
        with self.services_at(self.folder, f"2021-10-{moment}") as services:
            reconcile(services)

    def reasons(self, session: str) -> list[Reason]:
        """Of BBB.NS."""
        with self.services_at(self.folder, "2021-10-29 20:00") as services, reading(services.engine) as conn:
            signals = read_signals(conn, "live", date.fromisoformat(session))
        return [reason for signal in signals if signal.symbol == "BBB.NS" for reason in signal.reasons]

    def write_down(self, row: str) -> None:
        (self.folder / "calendar").mkdir()
        (self.folder / "calendar" / "XNSE.csv").write_text(f"date,kind,opens,closes,reason\n{row}\n")
        with (self.folder / "config.toml").open("a") as file:
            file.write('\n[calendar]\noverrides = "calendar"\n')


@pytest.fixture
def living(tmp_path: Path, services_at: ServicesAt) -> Living:
    """Two traded stocks, with bars of a Saturday too, and the first decision."""
    folder = write_cheap(tmp_path / "both", last=date(2021, 10, 29), config=LONG)
    for path in (folder / "bars").iterdir():
        bars = pd.read_csv(path, index_col="Date", parse_dates=True)
        bars.loc[pd.Timestamp(SATURDAY)] = bars.loc["2021-10-08"] * 1.001
        write_bars(path, bars.sort_index())
    living = Living(folder, services_at)
    living.at("04 08:50")
    return living


@pytest.mark.slow
def test_a_day_that_becomes_a_session_when_later_ones_are_settled_is_left_out_and_told_once(
    living: Living, lines: list[str]
) -> None:
    living.at("11 17:00")
    living.write_down(f"{SATURDAY},extra,,,Disaster recovery site")
    with living.services_at(living.folder, "2021-10-12 17:00") as services:
        reconcile(services)
        reconcile(services)
        assert len([line for line in lines if "left out" in line]) == 1
        with reading(services.engine) as conn:
            account, settled = read_account(conn, "live"), done_runs(conn, "live", "settle")
        found = verify(services, since=FIRST)
    assert account is not None
    assert "BBB.NS" in account.held, "made up so that something is held over that day"
    assert SATURDAY not in settled
    assert (max(settled), len(settled)) == (date(2021, 10, 12), 7)
    assert (found.differences, found.not_replayed, found.replayed) == ((), (), 14)


@pytest.mark.slow
def test_what_was_bought_in_a_session_that_turns_out_to_be_none_stands_in_nobodys_way(living: Living) -> None:
    living.write_down("2021-10-04,closed,,,Election")
    for moment in ("05 08:50", "05 17:00", "06 08:50", "06 17:00"):
        living.at(moment)
    assert Reason.ALREADY_ORDERED not in {*living.reasons("2021-10-05"), *living.reasons("2021-10-06")}
    with living.services_at(living.folder, "2021-10-29 20:00") as services:
        found = verify(services, since=FIRST)
    assert (found.differences, found.not_replayed, found.replayed) == ((), (), 5)
