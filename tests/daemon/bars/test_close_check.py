"""Two providers, one close: what differs is told once, shown until they agree, and changes nothing."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest

from daemon.bars.close_check import check_closes
from daemon.clock import FixedClock
from daemon.health.judge import Finding, Ill, judge, read_ledger
from daemon.services import Services
from daemon.sessions.desk import home_calendar
from daemon.sessions.reconcile import reconcile
from storage.bar_store import read_bars
from storage.engine import reading
from storage.feed_store import read_close_checks
from storage.feeds import Feed, FeedError, FeedOptions, History, open_check_feed

ServicesAt = Callable[..., AbstractContextManager[Services]]


@dataclass
class Second:
    """The files' bars with some closes multiplied."""

    inner: Feed
    factors: dict[str, float] = field(default_factory=dict)
    fails: bool = False
    name: str = "second"
    on_network: bool = False

    def fetch(self, symbols: Sequence[str], *, first: date, last: date) -> Mapping[str, History | FeedError]:
        if self.fails:
            return {symbol: FeedError(f"no {symbol}\nat all") for symbol in symbols}
        answers = self.inner.fetch(symbols, first=first, last=last)
        return {symbol: self._changed(answer) for symbol, answer in answers.items()}

    def _changed(self, answer: History | FeedError) -> History:
        assert isinstance(answer, History)
        factor = pd.Series({pd.Timestamp(day): factor for day, factor in self.factors.items()}, dtype="float64")
        close = answer.bars["close"] * factor.reindex(answer.bars.index).fillna(1.0)
        return replace(answer, bars=answer.bars.assign(close=close))


def beside(services: Services, second: Second) -> Services:
    feed = services.settings.feed.model_copy(update={"check_provider": "yahoo"})
    return replace(services, settings=services.settings.model_copy(update={"feed": feed}), check_feed=second)


def check(services: Services) -> None:
    check_closes(services, home_calendar(services.settings, services.clock.now()))


def findings(services: Services) -> list[Finding]:
    with reading(services.engine) as conn:
        found = judge(read_ledger(conn, None, "gap"), services.settings, services.clock.now()).findings
    return [finding for finding in found if finding.ill is Ill.CLOSES_DIFFER]


def test_a_difference_is_told_once_shown_until_they_agree_and_changes_no_bar(
    copy: Path, services_at: ServicesAt, lines: list[str]
) -> None:
    with services_at(copy, "2021-10-05 18:00") as opened:
        second = Second(opened.feed, {"2021-10-04": 1.02, "2021-10-05": 1.004})
        services = beside(opened, second)
        with reading(services.engine) as conn:
            before = read_bars(conn, ["AAA.NS"])["AAA.NS"]
        check(services)
        check(services)
        (told,) = [line for line in lines if "close of" in line]
        close = float(before["close"][pd.Timestamp("2021-10-04")])
        assert told == (
            f"close of AAA.NS on 2021-10-04 was {close:.2f} by files and {1.02 * close:.2f} by yahoo (+200.0 bp)"
        )
        (finding,) = findings(services)
        assert finding.text == told
        assert not finding.unhealthy
        with reading(services.engine) as conn:
            assert read_bars(conn, ["AAA.NS"])["AAA.NS"].equals(before)
        second.factors = {}
        check(services)
        assert findings(services) == []


def test_what_nobody_compares_again_is_shown_for_ten_days_and_kept(copy: Path, services_at: ServicesAt) -> None:
    with services_at(copy, "2021-10-05 18:00") as opened:
        services = beside(opened, Second(opened.feed, {"2021-10-05": 0.9}))
        check(services)
        later = replace(services, clock=FixedClock(services.clock.now() + timedelta(days=11)))
        assert len(findings(services)) == 1
        assert findings(later) == []
        with reading(services.engine) as conn:
            assert [one.session for one in read_close_checks(conn)] == [date(2021, 10, 5)]


def test_a_second_provider_that_fails_stops_nothing(copy: Path, services_at: ServicesAt, lines: list[str]) -> None:
    with services_at(copy, "2021-10-06 08:50") as opened:
        services = beside(opened, Second(opened.feed, fails=True))
        check(services)
        assert [line for line in lines if "not checked" in line] == [
            r"closes of AAA.NS were not checked: no AAA.NS\nat all"
        ]
        assert [task.kind for task in reconcile(services).done] == ["decide"]


def test_closes_are_compared_after_a_reading_that_brought_something(copy: Path, services_at: ServicesAt) -> None:
    with services_at(copy, "2021-10-06 17:00") as opened:
        services = beside(opened, Second(opened.feed, {"2021-10-06": 1.01}))
        reconcile(services)
        assert [finding.text[:28] for finding in findings(services)] == ["close of AAA.NS on 2021-10-0"]


def test_a_provider_cannot_check_itself() -> None:
    assert open_check_feed(FeedOptions()) is None
    other = open_check_feed(FeedOptions(check_provider="sample"))
    assert other is not None
    assert other.name == "sample"
    with pytest.raises(FeedError, match=r'feed\.check_provider was "yahoo", as feed\.provider; name another'):
        open_check_feed(FeedOptions(check_provider="yahoo"))
