"""While a settlement waits for one symbol's bar, the next session is decided: nothing is told twice."""

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from daemon.services import Services
from daemon.sessions.broker import Order
from daemon.sessions.reconcile import Reconciled, reconcile
from daemon.verifying.verify import verify
from ensemble.fills import ExitReason
from ensemble.trading.costs import Side
from ensemble.trading.signals import Action, Reason, Signal
from storage.account_store import read_positions
from storage.engine import reading
from storage.signal_store import read_signals
from tests.daemon.faults.cheap import CONFIG, write_cheap
from tests.daemon.sessions.test_tickets import Recorder, hold_at_most

ServicesAt = Callable[..., AbstractContextManager[Services]]
BOTH = CONFIG.replace('symbols = ["AAA.NS"]\npeers = ["BBB.NS"]', 'symbols = ["AAA.NS", "BBB.NS"]')
FIRST = "2021-10-04"
"""BBB.NS is bought; its forecast of the next session says up again."""


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory, services_at: ServicesAt) -> Path:
    """Two traded stocks, and the first decision."""
    folder = write_cheap(tmp_path_factory.mktemp("both"), last=date(2021, 10, 29), config=BOTH)
    with services_at(folder, f"{FIRST} 08:50") as services:
        reconcile(services)
    return folder


@dataclass
class Living:
    folder: Path
    services_at: ServicesAt
    broker: Recorder

    def at(self, moment: str) -> Reconciled:
        with self.services_at(self.folder, f"2021-10-{moment}") as services:
            return reconcile(replace(services, broker=self.broker))

    def without(self, session: str) -> Callable[[], None]:
        """Takes AAA.NS's bar of that session out of the feed; what is returned puts it back."""
        path = self.folder / "bars" / "AAA.NS.csv"
        whole = pd.read_csv(path)
        whole[whole["Date"] != session].to_csv(path, index=False)
        return lambda: whole.to_csv(path, index=False)

    def signal(self, session: str, symbol: str = "BBB.NS") -> Signal:
        with self.services_at(self.folder, "2021-10-29 20:00") as services, reading(services.engine) as conn:
            return next(one for one in read_signals(conn, "live", date.fromisoformat(session)) if one.symbol == symbol)

    def orders(self, session: str) -> list[Order]:
        told = dict(self.broker.told)
        return [one for one in told[date.fromisoformat(session)] if one.symbol == "BBB.NS"]


@pytest.fixture
def living(decided: Path, tmp_path: Path, services_at: ServicesAt) -> Living:
    return Living(Path(shutil.copytree(decided, tmp_path / "both")), services_at, Recorder())


def test_what_is_bought_in_a_session_that_waits_is_not_bought_again_and_a_replay_finds_it_so(living: Living) -> None:
    bought, put_back = living.signal(FIRST), living.without(FIRST)
    assert bought.actionable
    assert bought.opens
    assert [task.kind for task in living.at("04 17:00").waiting] == ["settle"]
    living.at("05 08:50")
    again = living.signal("2021-10-05")
    assert (again.action, again.reasons) == (Action.HOLD, (Reason.ALREADY_ORDERED,))
    assert living.orders("2021-10-05") == []
    put_back()
    living.at("05 17:00")
    with living.services_at(living.folder, "2021-10-29 20:00") as services:
        with reading(services.engine) as conn:
            held = {position.symbol: position.quantity for position in read_positions(conn, "live")}
        found = verify(services, since=date.fromisoformat(FIRST))
    assert 0 < held["BBB.NS"] <= bought.quantity
    assert (found.differences, found.not_replayed, found.replayed) == ((), (), 4)


def test_what_is_told_to_leave_at_the_close_of_a_session_that_waits_is_not_told_again(living: Living) -> None:
    hold_at_most(living.folder, 2)
    living.at("04 17:00")
    living.at("05 08:50")
    living.without("2021-10-05")
    assert living.at("05 17:00").waiting
    living.at("06 08:50")
    (out,) = living.orders("2021-10-05")
    assert (out.side, out.reasons) == (Side.SELL, (ExitReason.TIME,))
    assert [one for one in living.orders("2021-10-06") if one.side is Side.SELL] == []


def test_what_was_bought_in_a_session_that_waits_is_told_its_way_out_in_time(living: Living) -> None:
    config = living.folder / "config.toml"
    config.write_text(
        config.read_text().replace("[risk]\nmax_holding_sessions = 3", "[risk]\nmax_holding_sessions = 2")
    )
    living.without(FIRST)
    living.at("04 17:00")
    living.at("05 08:50")
    (bought,), (out,) = living.orders(FIRST), living.orders("2021-10-05")
    assert (out.side, out.quantity, out.reasons) == (Side.SELL, bought.quantity, (ExitReason.TIME,))
    assert (out.session, out.decided_at > bought.decided_at) == (date(2021, 10, 5), True)
