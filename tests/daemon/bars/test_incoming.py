"""Answers that are not even looked at."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.bars.incoming import between, mistrust, newest_final
from daemon.config.settings import Settings
from daemon.services import Services
from daemon.sessions.reconcile import reconcile
from ensemble.sessions import EXCHANGES, available_at
from storage.bar_store import Newest, newest_of, read_bars
from storage.engine import reading
from storage.feeds import Feed, FeedError, History
from storage.feeds.feed import no_actions

ServicesAt = Callable[..., AbstractContextManager[Services]]
NOW = datetime(2021, 10, 6, 3, 20, tzinfo=UTC)


@dataclass
class Renamed:
    """The same bars by another provider, or told in another currency."""

    inner: Feed
    name: str = "files"
    on_network: bool = False
    currency: str | None = None

    def fetch(self, symbols: Sequence[str], *, first: date, last: date) -> Mapping[str, History | FeedError]:
        answers = self.inner.fetch(symbols, first=first, last=last)
        return {
            symbol: replace(answer, currency=self.currency) if isinstance(answer, History) else answer
            for symbol, answer in answers.items()
        }


def told(currency: str | None, zone: str | None) -> History:
    return History(pd.DataFrame(), no_actions(), currency, zone)


@pytest.mark.parametrize(
    ("currency", "zone", "line"),
    [
        ("INR", "Asia/Kolkata", None),
        ("INR", "Asia/Calcutta", None),
        (None, None, None),
        ("USD", "Asia/Kolkata", "RELIANCE.NS came in USD, and XNSE is quoted in INR; check the symbol, or set"),
        ("INR", "America/New_York", "RELIANCE.NS came with the dates of America/New_York, and XNSE keeps those of"),
        ("INR", "Mars/Olympus_Mons", "RELIANCE.NS came with the dates of Mars/Olympus_Mons"),
        ("INR", "../../etc/passwd", "RELIANCE.NS came with the dates of ../../etc/passwd"),
    ],
)
def test_what_is_traded_must_come_in_its_currency_and_with_its_dates(
    currency: str | None, zone: str | None, line: str | None
) -> None:
    for symbol in ("RELIANCE.NS", "TCS.NS"):
        reason = mistrust(Settings(), symbol, told(currency, zone), NOW)
        assert (reason is None) == (line is None)
        assert line is None or str(reason).startswith(line.replace("RELIANCE.NS", symbol))


def test_a_currency_that_is_configured_goes_before_the_exchange_s() -> None:
    settings = Settings.model_validate({"feed": {"currency": "USD"}})
    assert mistrust(settings, "RELIANCE.NS", told("USD", None), NOW) is None
    assert "is quoted in USD" in str(mistrust(settings, "RELIANCE.NS", told("INR", None), NOW))


def test_context_follows_habits_of_its_own() -> None:
    assert mistrust(Settings(), "^VIX", told("USD", "America/Chicago"), NOW) is None


@given(exchange=st.sampled_from(list(EXCHANGES)), minutes=st.integers(0, 40 * 24 * 60), delay_min=st.integers(0, 90))
def test_the_newest_final_day_parts_what_is_known_from_what_is_not(exchange: str, minutes: int, delay_min: int) -> None:
    now = datetime(2021, 10, 20, tzinfo=UTC) + timedelta(minutes=minutes)  # with a Muhurat evening and clocks set back
    settings = Settings.model_validate({"feed": {"delay_min": delay_min}})
    days = pd.date_range("2021-10-01", "2021-12-10", name="session", unit="us")
    known = days[available_at(days, exchange, delay_min=delay_min) <= pd.Timestamp(now)]
    newest = newest_final(settings, exchange, now)
    assert known[-1] == newest
    assert between(pd.DataFrame(index=days), days[3], newest).index.equals(known[3:])


def test_a_series_stays_with_its_provider_and_the_line_says_how_to_go_on(copy: Path, services_at: ServicesAt) -> None:
    with services_at(copy, "2021-10-06 08:50") as services:
        other = replace(services, feed=Renamed(services.feed, name="sample"))
        remedy = r"stored bars of AAA\.NS are from files, and feed\.provider was sample; set it back to files, or begin"
        with reading(services.engine) as conn:
            before = read_bars(conn, ["AAA.NS", "BBB.NS"])
        with pytest.raises(FeedError, match=remedy):
            reconcile(other)
        with reading(services.engine) as conn:
            after = read_bars(conn, ["AAA.NS", "BBB.NS"])
            assert newest_of(conn, ["AAA.NS", "NEW.NS"]) == {"AAA.NS": Newest(date(2021, 10, 5), "files")}
        assert all(after[symbol].equals(before[symbol]) for symbol in before)
        assert [task.kind for task in reconcile(services).done] == ["decide"]


def test_bars_in_another_currency_are_refused_and_change_nothing(copy: Path, services_at: ServicesAt) -> None:
    with (
        services_at(copy, "2021-10-06 08:50") as services,
        pytest.raises(FeedError, match=r"AAA\.NS came in USD, and XNSE is quoted in INR"),
    ):
        reconcile(replace(services, feed=Renamed(services.feed, currency="USD")))
