import csv
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from daemon.bars.ingest import ingest
from daemon.config.settings import MarketOptions, Settings, describe
from daemon.config.universe import FIRST_DAY, expanded, members
from daemon.services import Services
from daemon.sessions.desk import home_calendar
from daemon.sessions.reconcile import reconcile
from ensemble.trading.signals import Action, Reason
from storage.engine import reading
from storage.run_store import done_runs
from storage.signal_store import read_signals
from storage.tables import LIVE

ServicesAt = Callable[..., AbstractContextManager[Services]]


@given(days=st.integers(0, 4000))
def test_the_index_has_fifty_members_on_every_day(days: int) -> None:
    day = FIRST_DAY["nifty50"] + timedelta(days=days)
    found = members(f"nifty50:{day}", exchange="XNSE")
    assert len(found) == len(set(found)) == 50


@pytest.mark.parametrize(
    ("day", "joined", "left"),
    [
        ("2018-04-02", {"BAJAJFINSV.NS", "GRASIM.NS", "TITAN.NS"}, {"AMBUJACEM.NS", "AUROPHARMA.NS", "BOSCHLTD.NS"}),
        ("2018-09-28", {"JSWSTEEL.NS"}, {"LUPIN.NS"}),
        ("2019-03-29", {"BRITANNIA.NS"}, {"HINDPETRO.NS"}),
        ("2019-09-27", {"NESTLEIND.NS"}, {"SAMMAANCAP.NS"}),
        ("2020-03-19", {"SHREECEM.NS"}, {"YESBANK.NS"}),
        ("2020-07-31", {"HDFCLIFE.NS"}, {"VEDL.NS"}),
        ("2020-09-25", {"DIVISLAB.NS", "SBILIFE.NS"}, {"INDUSTOWER.NS", "ZEEL.NS"}),
        ("2021-03-31", {"TATACONSUM.NS"}, {"GAIL.NS"}),
        ("2022-03-31", {"APOLLOHOSP.NS"}, {"IOC.NS"}),
        ("2022-09-30", {"ADANIENT.NS"}, {"SHREECEM.NS"}),
        ("2023-07-13", {"LTIM.NS"}, {"HDFC.NS"}),
        ("2024-03-28", {"SHRIRAMFIN.NS"}, {"UPL.NS"}),
        ("2024-09-30", {"TRENT.NS", "BEL.NS"}, {"DIVISLAB.NS", "LTIM.NS"}),
        ("2025-03-28", {"JIOFIN.NS", "ETERNAL.NS"}, {"BPCL.NS", "BRITANNIA.NS"}),
        ("2025-09-30", {"INDIGO.NS", "MAXHEALTH.NS"}, {"HEROMOTOCO.NS", "INDUSINDBK.NS"}),
    ],
)
def test_members_change_on_the_day_that_the_press_told(day: str, joined: set[str], left: set[str]) -> None:
    before = date.fromisoformat(day) - timedelta(days=1)
    old, new = (set(members(f"nifty50:{one}", exchange="XNSE")) for one in (before, day))
    assert (new - old, old - new) == (joined, left)


def test_every_change_names_its_source() -> None:
    with (files("daemon.config") / "universes" / "nifty50.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert all(bool(row["source"]) == bool(row["joined"] or row["left"]) for row in rows)
    assert sum(bool(row["source"]) for row in rows) == 38


def test_a_list_stands_for_its_members_and_leaves_out_what_is_named_otherwise() -> None:
    market = MarketOptions.model_validate({"symbols": ["RELIANCE.NS"], "peers": ["ZEEL.NS", "@nifty50", "TCS.NS"]})
    assert market.peers[0] == "ZEEL.NS"
    assert market.peers[-1] == "TCS.NS"
    assert market.peers.count("TCS.NS") == 1
    assert "RELIANCE.NS" not in market.peers
    assert len(market.peers) == 50  # ZEEL, and the fifty less RELIANCE


def test_the_configuration_shown_names_the_members() -> None:
    shown = describe(Settings.model_validate({"market": {"peers": ["@nifty50"]}}))
    assert '"MAXHEALTH.NS"' in shown
    assert "@" not in shown


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("@nifty", 'is no list; did you mean "@nifty50"?'),
        ("@", "is no list; it must be one of nifty50"),
        ("@nifty50:", "must end with a date"),
        ("@nifty50:2017-09-28", "is before 2017-09-29, the oldest day whose members are known"),
    ],
)
def test_a_list_that_there_is_not_is_told(entry: str, told: str) -> None:
    with pytest.raises(ValidationError) as caught:
        MarketOptions.model_validate({"symbols": [entry]})
    assert told in str(caught.value)


def test_a_list_of_another_exchange_is_refused() -> None:
    with pytest.raises(ValueError, match=r"is of XNSE, and market\.exchange is XNYS; name symbols"):
        members("nifty50", exchange="XNYS")


@pytest.mark.parametrize("entries", [None, 3, "@nifty50", {"a": 1}])
def test_what_is_no_list_of_entries_is_left_to_be_refused(entries: object) -> None:
    assert expanded(entries, exchange="XNSE") is entries


@pytest.mark.parametrize("newest", [pytest.param(None, marks=pytest.mark.slow), "2021-10-01"])
def test_a_traded_symbol_that_fails_is_held_and_stops_no_other(
    tmp_path: Path, write_installation: Callable[[Path], Path], services_at: ServicesAt, newest: str | None
) -> None:
    folder = write_installation(tmp_path / "installation")
    config = folder / "config.toml"
    config.write_text(
        config.read_text(encoding="utf-8").replace('["AAA.NS"]', '["AAA.NS", "CCC.NS"]'), encoding="utf-8"
    )
    if newest:
        shutil.copy(folder / "bars" / "BBB.NS.csv", folder / "bars" / "CCC.NS.csv")
        with services_at(folder, f"{newest} 17:00") as services:
            ingest(services, home_calendar(services.settings, services.clock.now()))
        (folder / "bars" / "CCC.NS.csv").unlink()
    # Earlier in the morning the decision waits for the missing bars.
    for moment in ("2021-10-05 09:05", "2021-10-06 09:05", "2021-10-06 17:00"):
        with services_at(folder, moment) as services:
            reconciled = reconcile(services)
            with reading(services.engine) as conn:
                signals = {one.symbol: one for one in read_signals(conn, LIVE, reconciled.done[-1].session.date())}
        assert not reconciled.waiting or moment.startswith("2021-10-05")
    assert signals["CCC.NS"].action is Action.HOLD
    assert set(signals["CCC.NS"].reasons) == {Reason.STALE_DATA, *(() if newest else (Reason.NO_FORECAST,))}
    assert signals["AAA.NS"].probability is not None
    with services_at(folder, "2021-10-06 18:00") as services, reading(services.engine) as conn:
        assert done_runs(conn, LIVE, "settle") == {date(2021, 10, 5), date(2021, 10, 6)}
